// SPDX-License-Identifier: MIT
#include "alerts/alert_book.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "alerts/default_rules.h"

namespace snakepit::shm {

namespace {

// A service that was stopped for longer has not watched.
constexpr std::int64_t kMaxGapMs = 15'000;
// Events that are older than this when they are seen happened while no manager looked.
constexpr std::int64_t kLate = 2'000'000;

// What one found can go on under the other.
bool same_matter(const AlertRule& a, const AlertRule& b) {
    return a.metric == b.metric && a.event == b.event && a.group == b.group &&
           a.comparison == b.comparison;
}

}  // namespace

AlertBook::AlertBook(const AlertMemory& memory)
    : silences_(memory.silences),
      last_alert_(memory.last_alert),
      last_silence_(memory.last_silence) {
    for (auto& rule : default_rules()) {
        defaults_.emplace(rule.name, rule);
        put(std::move(rule));
    }
    for (auto rule : memory.rules) {
        rule.built_in = built_in(rule.name);
        put(std::move(rule));
    }
    for (const auto& fired : memory.recent)
        if (const auto it = watches_.find(fired.rule); it != watches_.end())
            it->second->evaluator().fired_before(fired.subject, fired.fired_at);
    for (const auto& [alert, told] : memory.firing) {
        // Of a rule there is no more: nothing could ever resolve it.
        if (const auto it = watches_.find(alert.rule);
            it != watches_.end() && it->second->rule().enabled) {
            it->second->evaluator().restore(alert);
            if (told) told_.insert(alert.id);
        }
    }
    count();
}

void AlertBook::put(AlertRule rule) {
    const auto name = rule.name;
    watches_[name] = std::make_unique<RuleWatch>(std::move(rule), kMaxGapMs);
    kinds_.clear();
    for (const auto& [other, watch] : watches_)
        if (watch->rule().event && watch->rule().enabled)
            kinds_.insert(static_cast<int>(*watch->rule().event));
}

std::int64_t AlertBook::longest_window() const {
    std::int64_t longest = 0;
    for (const auto& [name, watch] : watches_)
        if (watch->rule().event) longest = std::max(longest, watch->rule().window_ms * 1000);
    return longest;
}

void AlertBook::see(Timestamp at, const SeenEvent& event, bool again,
                    std::vector<AlertChange>& changes) {
    const bool late = !again && at.micros - event.time.micros > kLate;
    for (auto& [name, watch] : watches_) {
        if (!watch->rule().enabled || !watch->wants(event)) continue;
        watch->see(event);
        if (!late) continue;
        // It is judged as of its time, or it would be over before anybody looks.
        const auto from = changes.size();
        watch->look(event.time, changes);
        number(*watch, changes, from);
    }
}

void AlertBook::look(Timestamp at, const layout::Sample& sample,
                     std::span<const SubjectValue> subjects, std::vector<AlertChange>& changes) {
    for (auto& [name, watch] : watches_) {
        const auto& rule = watch->rule();
        if (!rule.enabled) continue;
        if (const auto* metric = find_metric(rule.metric))
            watch->see(at, metric->value(sample));
        else if (!rule.event)
            watch->see(subjects);
        const auto from = changes.size();
        watch->look(at, changes);
        number(*watch, changes, from);
    }
    count();
}

void AlertBook::follow_clock(std::int64_t step) {
    for (auto& [name, watch] : watches_) watch->follow_clock(step);
    for (auto& silence : silences_)
        if (silence.until.micros != 0) silence.until.micros += step;
}

void AlertBook::number(RuleWatch& watch, std::vector<AlertChange>& changes, std::size_t from) {
    if (from == changes.size()) return;
    watch.evaluator().each([&](Alert& alert) {
        if (alert.id != 0) return;
        alert.id = ++last_alert_;
        for (auto i = from; i < changes.size(); ++i)
            if (changes[i].alert.id == 0 && changes[i].alert.subject == alert.subject)
                changes[i].alert.id = alert.id;
    });
}

void AlertBook::count() {
    firing_ = unacknowledged_ = 0;
    each([&](Alert& alert) {
        alert.silenced = silenced(alert);
        if (alert.state != AlertState::firing) return;
        ++firing_;
        if (alert.acknowledged_at.micros == 0) ++unacknowledged_;
    });
}

std::vector<Alert> AlertBook::live() {
    std::vector<Alert> out;
    each([&](const Alert& alert) { out.push_back(alert); });
    const auto key = [](const Alert& alert) {
        return std::tuple(alert.state != AlertState::firing, -static_cast<int>(alert.severity),
                          -static_cast<std::int64_t>(alert.id));
    };
    std::sort(out.begin(), out.end(),
              [&](const Alert& a, const Alert& b) { return key(a) < key(b); });
    return out;
}

const Alert* AlertBook::acknowledge(const Acknowledgement& what, const std::string& by,
                                    Timestamp at) {
    Alert* found = nullptr;
    each([&](Alert& alert) {
        if (alert.id == what.id && alert.state == AlertState::firing) found = &alert;
    });
    if (!found) return nullptr;
    found->acknowledged_by = by;
    found->acknowledgement = what.comment;
    found->acknowledged_at = at;
    count();
    return found;
}

bool AlertBook::tell(const Alert& alert, AlertSeverity least) {
    return alert.severity >= least && alert.acknowledged_at.micros == 0 && !silenced(alert) &&
           told_.insert(alert.id).second;
}

std::vector<Alert> AlertBook::to_tell(AlertSeverity least) {
    std::vector<Alert> out;
    each([&](const Alert& alert) {
        if (alert.state == AlertState::firing && tell(alert, least)) out.push_back(alert);
    });
    return out;
}

// ------------------------------------------------------------------ silences
bool AlertBook::matches(const AlertSilence& silence, const Alert& alert) const {
    return (silence.rule.empty() || silence.rule == alert.rule) &&
           (silence.subject.empty() || silence.subject == alert.subject);
}

bool AlertBook::silenced(const Alert& alert) const {
    return std::any_of(silences_.begin(), silences_.end(),
                       [&](const AlertSilence& silence) { return matches(silence, alert); });
}

Result<AlertSilence> AlertBook::silence(AlertSilence what, Timestamp at) {
    if (silences_.size() >= kMostSilences)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("there are {} silences already", silences_.size()),
                    "end some with 'snakepit-shm alerts unsilence'");
    if (!what.rule.empty() && !find(what.rule))
        return fail(ErrorCode::invalid_argument, fmt::format("there is no rule '{}'", what.rule),
                    "'snakepit-shm alerts rules' shows them");
    bool any = false;
    each([&](const Alert& alert) { any = any || matches(what, alert); });
    if (what.until.micros == 0 && !any)
        return fail(ErrorCode::invalid_argument, "there is no alert now that it would match",
                    "give it an end");
    what.id = ++last_silence_;
    what.made_at = at;
    silences_.push_back(what);
    count();
    return what;
}

Result<AlertSilence> AlertBook::unsilence(std::uint64_t id) {
    const auto found = std::find_if(silences_.begin(), silences_.end(),
                                    [id](const AlertSilence& one) { return one.id == id; });
    if (found == silences_.end())
        return fail(ErrorCode::invalid_argument, fmt::format("there is no silence {}", id),
                    "'snakepit-shm alerts silences' shows them");
    const auto ended = *found;
    silences_.erase(found);
    count();
    return ended;
}

std::vector<AlertSilence> AlertBook::end_silences(Timestamp at) {
    std::vector<AlertSilence> over;
    for (const auto& silence : silences_) {
        bool any = false;
        if (silence.until.micros == 0)
            each([&](const Alert& alert) { any = any || matches(silence, alert); });
        if (silence.until.micros == 0 ? !any : silence.until <= at) over.push_back(silence);
    }
    for (const auto& silence : over) (void)unsilence(silence.id);
    return over;
}

// --------------------------------------------------------------------- rules
std::vector<AlertRule> AlertBook::rules() const {
    std::vector<AlertRule> out;
    for (const auto& [name, watch] : watches_) out.push_back(watch->rule());
    return out;
}

const AlertRule* AlertBook::find(const std::string& name) const {
    const auto it = watches_.find(name);
    return it == watches_.end() ? nullptr : &it->second->rule();
}

Status AlertBook::may_set(const AlertRule& rule) const {
    if (watches_.size() < kMostRules || watches_.contains(rule.name)) return {};
    return fail(ErrorCode::alert_rule_invalid,
                fmt::format("there are {} rules already", kMostRules), "remove some");
}

void AlertBook::set(AlertRule rule, Timestamp at, std::vector<AlertChange>& changes) {
    rule.built_in = built_in(rule.name);
    const auto name = rule.name;
    std::vector<Alert> kept;
    if (const auto before = watches_.find(name); before != watches_.end()) {
        auto& evaluator = before->second->evaluator();
        if (rule.enabled && same_matter(rule, evaluator.rule()))
            evaluator.each([&](const Alert& alert) {
                if (alert.state == AlertState::firing) kept.push_back(alert);
            });
        else
            evaluator.end(at, changes);
    }
    put(std::move(rule));
    for (const auto& alert : kept) watches_[name]->evaluator().restore(alert);
    count();
}

bool AlertBook::remove(const std::string& name, Timestamp at, std::vector<AlertChange>& changes) {
    if (!watches_.contains(name)) return false;
    if (const auto original = defaults_.find(name); original != defaults_.end()) {
        set(original->second, at, changes);
        return true;
    }
    watches_[name]->evaluator().end(at, changes);
    watches_.erase(name);
    count();
    return true;
}

void AlertBook::refill(const std::string& name, const SeenEvent& event) {
    const auto it = watches_.find(name);
    if (it != watches_.end() && it->second->rule().enabled && it->second->wants(event))
        it->second->see(event);
}

}  // namespace snakepit::shm
