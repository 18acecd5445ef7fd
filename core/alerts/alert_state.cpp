// SPDX-License-Identifier: MIT
#include "alerts/alert_state.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

// Events that are older than this when they are observed happened while no manager ran.
constexpr std::int64_t kLate = 2'000'000;

// Whether alerts of one can go on under the other.
bool comparable(const AlertRule& a, const AlertRule& b) {
    return a.metric == b.metric && a.event == b.event && a.group == b.group &&
           a.comparison == b.comparison;
}

}  // namespace

AlertState::AlertState(const AlertSnapshot& stored)
    : silences_(stored.silences),
      last_alert_(stored.last_alert),
      last_silence_(stored.last_silence) {
    for (auto& rule : default_rules()) {
        defaults_.emplace(rule.name, rule);
        put(std::move(rule));
    }
    for (auto rule : stored.rules) {
        rule.built_in = built_in(rule.name);
        put(std::move(rule));
    }
    for (const auto& fired : stored.recent)
        if (const auto it = rules_.find(fired.rule); it != rules_.end())
            it->second.fired_before(fired.subject, fired.fired_at);
    for (const auto& [alert, notified] : stored.firing) {
        // Without its rule it could never be resolved.
        const auto it = rules_.find(alert.rule);
        if (it == rules_.end() || !it->second.rule().enabled) continue;
        it->second.restore(alert);
        if (notified) notified_.insert(alert.id);
    }
    count();
}

void AlertState::put(AlertRule rule) {
    const auto name = rule.name;
    rules_.insert_or_assign(name, AlertingRule(std::move(rule)));
    kinds_.clear();
    for (const auto& [other, one] : rules_)
        if (one.rule().event && one.rule().enabled)
            kinds_.insert(static_cast<int>(*one.rule().event));
}

std::int64_t AlertState::longest_window() const {
    std::int64_t longest = 0;
    for (const auto& [name, one] : rules_)
        if (one.rule().event) longest = std::max(longest, one.rule().window_ms * 1000);
    return longest;
}

void AlertState::observe(Timestamp at, const ObservedEvent& event, bool again,
                         std::vector<AlertChange>& changes) {
    const bool late = !again && at.micros - event.time.micros > kLate;
    for (auto& [name, rule] : rules_) {
        if (!rule.rule().enabled || !rule.wants(event)) continue;
        rule.observe(event);
        if (!late) continue;
        // Evaluated as of its time: it would have left the window before the next evaluation.
        const auto from = changes.size();
        rule.evaluate(event.time, changes);
        number(rule, changes, from);
    }
}

void AlertState::evaluate(Timestamp at, const layout::Sample& sample,
                          std::span<const SubjectValue> subjects,
                          std::vector<AlertChange>& changes) {
    for (auto& [name, rule] : rules_) {
        const auto& what = rule.rule();
        if (!what.enabled) continue;
        // Without a value the alert that is superseded ends.
        const auto* condition = find_condition(name);
        const bool superseded = condition && fires(condition->superseded_by);
        if (const auto* metric = find_metric(what.metric); metric && !superseded)
            rule.observe(at, metric->value(sample));
        else if (!what.event && !metric)
            rule.observe(subjects);
        const auto from = changes.size();
        rule.evaluate(at, changes);
        number(rule, changes, from);
    }
    count();
}

bool AlertState::fires(std::string_view name) const {
    const auto found = rules_.find(name);
    return found != rules_.end() && found->second.fires();
}

void AlertState::follow_clock(std::int64_t step) {
    for (auto& [name, rule] : rules_) rule.follow_clock(step);
    for (auto& silence : silences_)
        if (silence.until.micros != 0) silence.until.micros += step;
}

void AlertState::number(AlertingRule& rule, std::vector<AlertChange>& changes, std::size_t from) {
    if (from == changes.size()) return;
    rule.each([&](Alert& alert) {
        if (alert.id != 0) return;
        alert.id = ++last_alert_;
        for (auto i = from; i < changes.size(); ++i)
            if (changes[i].alert.id == 0 && changes[i].alert.subject == alert.subject)
                changes[i].alert.id = alert.id;
    });
}

void AlertState::count() {
    firing_ = unacknowledged_ = 0;
    each([&](Alert& alert) {
        alert.silenced = silenced(alert);
        if (alert.state != Alert::State::firing) return;
        ++firing_;
        if (alert.acknowledged_at.micros == 0) ++unacknowledged_;
    });
}

std::vector<Alert> AlertState::live() {
    std::vector<Alert> out;
    each([&](const Alert& alert) { out.push_back(alert); });
    const auto key = [](const Alert& alert) {
        return std::tuple(alert.state != Alert::State::firing, -static_cast<int>(alert.severity),
                          -static_cast<std::int64_t>(alert.id));
    };
    std::sort(out.begin(), out.end(),
              [&](const Alert& a, const Alert& b) { return key(a) < key(b); });
    return out;
}

const Alert* AlertState::acknowledge(const Acknowledgement& what, const std::string& by,
                                     Timestamp at) {
    Alert* found = nullptr;
    each([&](Alert& alert) {
        if (alert.id == what.id && alert.state == Alert::State::firing) found = &alert;
    });
    if (!found) return nullptr;
    found->acknowledged_by = by;
    found->acknowledgement = what.comment;
    found->acknowledged_at = at;
    count();
    return found;
}

bool AlertState::notify(const Alert& alert, AlertSeverity least) {
    return alert.severity >= least && alert.acknowledged_at.micros == 0 && !silenced(alert) &&
           notified_.insert(alert.id).second;
}

std::vector<Alert> AlertState::pending_notifications(AlertSeverity least) {
    std::vector<Alert> out;
    each([&](const Alert& alert) {
        if (alert.state == Alert::State::firing && notify(alert, least)) out.push_back(alert);
    });
    return out;
}

// ------------------------------------------------------------------ silences
bool AlertState::matches(const AlertSilence& silence, const Alert& alert) const {
    return (silence.rule.empty() || silence.rule == alert.rule) &&
           (silence.subject.empty() || silence.subject == alert.subject);
}

bool AlertState::silenced(const Alert& alert) const {
    return std::any_of(silences_.begin(), silences_.end(),
                       [&](const AlertSilence& silence) { return matches(silence, alert); });
}

Result<AlertSilence> AlertState::silence(AlertSilence what, Timestamp at) {
    if (silences_.size() >= kMostSilences)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("too many silences ({})", silences_.size()),
                    "end some with 'snakepit-shm alerts unsilence'");
    if (!what.rule.empty() && !find(what.rule))
        return fail(ErrorCode::invalid_argument, fmt::format("unknown rule '{}'", what.rule),
                    "'snakepit-shm alerts rules' lists them");
    bool any = false;
    each([&](const Alert& alert) { any = any || matches(what, alert); });
    if (what.until.micros == 0 && !any)
        return fail(ErrorCode::invalid_argument, "no current alert matches the silence",
                    "set an end");
    what.id = ++last_silence_;
    what.made_at = at;
    silences_.push_back(what);
    count();
    return what;
}

Result<AlertSilence> AlertState::unsilence(std::uint64_t id) {
    const auto found = std::find_if(silences_.begin(), silences_.end(),
                                    [id](const AlertSilence& one) { return one.id == id; });
    if (found == silences_.end())
        return fail(ErrorCode::invalid_argument, fmt::format("unknown silence {}", id),
                    "'snakepit-shm alerts silences' lists them");
    const auto ended = *found;
    silences_.erase(found);
    count();
    return ended;
}

std::vector<AlertSilence> AlertState::end_silences(Timestamp at) {
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
std::vector<AlertRule> AlertState::rules() const {
    std::vector<AlertRule> out;
    for (const auto& [name, rule] : rules_) out.push_back(rule.rule());
    return out;
}

const AlertRule* AlertState::find(const std::string& name) const {
    const auto it = rules_.find(name);
    return it == rules_.end() ? nullptr : &it->second.rule();
}

Status AlertState::may_set(const AlertRule& rule) const {
    if (rules_.size() < kMostRules || rules_.contains(rule.name)) return {};
    return fail(ErrorCode::alert_rule_invalid, fmt::format("too many rules ({})", kMostRules),
                "remove some with 'snakepit-shm alerts rules remove'");
}

void AlertState::set(AlertRule rule, Timestamp at, std::vector<AlertChange>& changes) {
    rule.built_in = built_in(rule.name);
    const auto name = rule.name;
    std::vector<Alert> kept;
    if (const auto before = rules_.find(name); before != rules_.end()) {
        if (rule.enabled && comparable(rule, before->second.rule()))
            before->second.each([&](const Alert& alert) {
                if (alert.state == Alert::State::firing) kept.push_back(alert);
            });
        else
            before->second.end(at, changes);
    }
    put(std::move(rule));
    for (const auto& alert : kept) rules_.find(name)->second.restore(alert);
    count();
}

bool AlertState::remove(const std::string& name, Timestamp at, std::vector<AlertChange>& changes) {
    const auto it = rules_.find(name);
    if (it == rules_.end()) return false;
    if (const auto original = defaults_.find(name); original != defaults_.end()) {
        set(original->second, at, changes);
        return true;
    }
    it->second.end(at, changes);
    rules_.erase(it);
    count();
    return true;
}

void AlertState::refill(const std::string& name, const ObservedEvent& event) {
    const auto it = rules_.find(name);
    if (it != rules_.end() && it->second.rule().enabled && it->second.wants(event))
        it->second.observe(event);
}

}  // namespace snakepit::shm
