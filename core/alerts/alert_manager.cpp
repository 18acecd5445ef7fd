// SPDX-License-Identifier: MIT
#include "alerts/alert_manager.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/json.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kPositionSaved = 60'000'000;  // microseconds

std::string about(std::string_view rule, std::string_view subject) {
    if (rule.empty() && subject.empty()) return "all";
    if (rule.empty()) return fmt::format("all: {}", subject);
    return subject.empty() ? std::string(rule) : fmt::format("{}: {}", rule, subject);
}

// Tells for each entry from `first` to the newest, in their order, by how much the wall clock was
// set after it: added to its time, that is by the clock as it is set now.
class LaterSteps {
  public:
    LaterSteps(const EventRing& ring, std::uint64_t first) {
        for (auto seq = first; seq <= ring.head(); ++seq)
            if (const auto* entry = ring.entry(seq)) sum_ += step_of(*entry);
    }
    std::int64_t after(const layout::EventEntry& entry) { return sum_ -= step_of(entry); }

  private:
    static std::int64_t step_of(const layout::EventEntry& entry) {
        if (entry.kind != static_cast<std::uint16_t>(EventKind::clock_stepped)) return 0;
        const auto size = static_cast<std::int64_t>(entry.value);
        return std::string_view(entry.text) == "back" ? -size : size;
    }
    std::int64_t sum_ = 0;
};

SeenEvent seen_late(const layout::EventEntry& entry, std::int64_t later_steps) {
    auto out = seen(entry);
    out.time.micros += later_steps;
    return out;
}

}  // namespace

AlertManager::AlertManager(RegionRegistry& registry, const std::string& state_db, Post post)
    : registry_(registry), post_(std::move(post)) {
    AlertStore store(state_db);
    auto memory = store.load();
    clerk_ = std::make_unique<AlertClerk>(std::move(store));
    teller_ = std::make_unique<AlertTeller>(
        registry.instance(),
        [this](const HookReport& report) { post_([this, report] { hook_reported(report); }); },
        [this](const AlertMessage& message, std::function<void()> then) {
            mark_told(message, std::move(then));
        });
    start(std::move(memory));
}

AlertManager::~AlertManager() {
    AlertBatch last;
    last.position = {registry_.epoch(), position_, wall_shift_};
    clerk_->write(std::move(last), true, {});
    clerk_->wait();   // for what it has still to give to the teller
    teller_.reset();  // which has marks to be written
    clerk_.reset();
}

void AlertManager::mark_told(const AlertMessage& message, std::function<void()> then) {
    AlertBatch batch;
    auto& mark = batch.told.emplace_back();
    mark.resolved = !message.firing();
    for (const auto& alert : message.alerts) mark.ids.push_back(alert.id);
    clerk_->write(std::move(batch), false, [then = std::move(then)](const Status&) {
        if (then) then();
    });
}

void AlertManager::start(Result<AlertMemory> loaded) {
    AlertMemory memory;
    if (loaded) {
        memory = std::move(*loaded);
        note_ = memory.note;
    } else {
        note_ = loaded.error().sentence();
        // Numbers that no row has, whatever is in there.
        memory.last_alert = memory.last_silence = static_cast<std::uint64_t>(now().micros / 1000);
    }
    book_ = std::make_unique<AlertBook>(memory);
    const auto head = registry_.ring().head();
    const bool same_ring = memory.position.epoch == registry_.epoch();
    // Of a ring that no manager of ours has looked at the past is past.
    position_ = same_ring ? memory.position.seq : registry_.fresh() ? 0 : head;
    position_saved_ = position_;
    wall_shift_ = same_ring ? memory.position.wall_shift : registry_.wall_shift();
    follow_clock();
    std::vector<AlertChange> none;
    const auto at = now();
    const auto first = head > layout::kRingEntries ? head - layout::kRingEntries + 1 : 1;
    LaterSteps steps(registry_.ring(), first);
    for (auto seq = first; seq <= std::min(position_, head); ++seq) {
        const auto* entry = registry_.ring().entry(seq);
        if (!entry) continue;
        const auto later = steps.after(*entry);
        if (book_->wants(static_cast<EventKind>(entry->kind)) &&
            at.micros - entry->time - later < book_->longest_window())
            book_->see(at, seen_late(*entry, later), true, none);
    }
    untold_ends_ = memory.untold_ends;
    close_lost(memory);
}

// What fired for a rule that there is no more, or that was switched off behind our back.
void AlertManager::close_lost(const AlertMemory& memory) {
    const auto live = book_->live();
    for (const auto& [alert, told] : memory.firing) {
        const auto id = alert.id;
        if (std::any_of(live.begin(), live.end(), [id](const Alert& a) { return a.id == id; }))
            continue;
        AlertChange change{AlertTurn::resolved, alert};
        change.alert.state = AlertState::resolved;
        change.alert.resolved_at = now();
        if (told) untold_ends_.push_back(change.alert);
        lost_.push_back(std::move(change));
    }
}

void AlertManager::configure(const AlertOptions& options) {
    const bool hooks = options.journal != options_.journal || options.command != options_.command ||
                       options.webhook != options_.webhook || teller_->state().empty();
    options_ = options;
    if (hooks) teller_->use(make_hooks(options_));
    if (!lost_.empty()) publish(std::exchange(lost_, {}), now());
    if (!untold_ends_.empty()) write({}, std::exchange(untold_ends_, {}));
    // What fires and was not told before the last manager ended.
    publish({}, now());
}

void AlertManager::follow_clock() {
    const auto step = registry_.wall_shift() - wall_shift_;
    if (step == 0) return;
    wall_shift_ += step;
    book_->follow_clock(step);
    AlertBatch batch;
    batch.silences = book_->silences();
    write(std::move(batch), {});
}

void AlertManager::look(const layout::Sample& sample, std::span<const SubjectValue> subjects) {
    follow_clock();
    if (!options_.enabled) {
        position_ = registry_.ring().head();  // what happens meanwhile is past when it is again
        return;
    }
    const Timestamp at{sample.time};
    std::vector<AlertChange> changes;
    read_events(at, changes);
    book_->look(at, sample, subjects, changes);
    AlertBatch batch;
    for (const auto& over : book_->end_silences(at)) {
        batch.ended_silences.push_back(over.id);
        record(EventKind::alert_unsilenced, {}, over.id, over.rule, over.subject);
    }
    if (!batch.empty()) write(std::move(batch), {});
    publish(changes, at);
}

void AlertManager::read_events(Timestamp at, std::vector<AlertChange>& changes) {
    auto& ring = registry_.ring();
    const auto head = ring.head();
    std::uint64_t missed = 0;
    if (head > position_ + layout::kRingEntries) {
        missed = head - layout::kRingEntries - position_;
        position_ += missed;
    }
    LaterSteps steps(ring, position_ + 1);
    while (position_ < head) {
        const auto* entry = ring.entry(++position_);
        if (!entry) continue;
        const auto later = steps.after(*entry);
        if (book_->wants(static_cast<EventKind>(entry->kind)))
            book_->see(at, seen_late(*entry, later), false, changes);
    }
    if (missed > 0)
        registry_.record(
            {.kind = EventKind::alerts_skipped,
             .count = static_cast<std::uint32_t>(std::min<std::uint64_t>(missed, UINT32_MAX))});
}

void AlertManager::refill(const std::string& rule) {
    const auto* found = book_->find(rule);
    if (!found || !found->event) return;
    const auto head = registry_.ring().head();
    const auto first = head > layout::kRingEntries ? head - layout::kRingEntries + 1 : 1;
    LaterSteps steps(registry_.ring(), first);
    for (auto seq = first; seq <= position_; ++seq) {
        const auto* entry = registry_.ring().entry(seq);
        if (!entry) continue;
        const auto later = steps.after(*entry);
        if (entry->kind == static_cast<std::uint16_t>(*found->event))
            book_->refill(rule, seen_late(*entry, later));
    }
}

void AlertManager::record(EventKind kind, const AlertAsker& by, std::uint64_t number,
                          std::string_view rule, std::string_view subject, std::uint32_t count) {
    const bool own = by.pid == 0;  // nobody asked for it
    registry_.record({.kind = kind,
                      .pid = own ? ::getpid() : by.pid,
                      .uid = own ? ::geteuid() : by.uid,
                      .count = count,
                      .value = number,
                      .text = about(rule, subject)});
}

void AlertManager::publish(const std::vector<AlertChange>& changes, Timestamp at) {
    AlertBatch batch;
    std::vector<Alert> tell;
    const auto keep = [&](const Alert& alert) {
        const auto same = std::find_if(batch.alerts.begin(), batch.alerts.end(),
                                       [&](const Alert& other) { return other.id == alert.id; });
        if (same != batch.alerts.end())
            *same = alert;
        else
            batch.alerts.push_back(alert);
    };
    for (auto [turn, alert] : changes) {
        if (turn == AlertTurn::began || turn == AlertTurn::dropped) continue;
        alert.silenced = book_->silenced(alert);
        if (turn == AlertTurn::fired) {
            record(EventKind::alert_fired, {}, alert.id, alert.rule, alert.subject);
            if (book_->tell(alert, options_.min_severity)) tell.push_back(alert);
        }
        if (turn == AlertTurn::resolved) {
            record(EventKind::alert_resolved, {}, alert.id, alert.rule, alert.subject,
                   alert.times_fired);
            if (book_->told(alert.id)) tell.push_back(alert);
        }
        keep(alert);
        if (turn == AlertTurn::resolved) book_->forget(alert.id);
    }
    for (const auto& alert : book_->to_tell(options_.min_severity)) {
        tell.push_back(alert);
        keep(alert);
    }
    const auto since = at.micros - position_saved_at_;
    const bool due = since < 0 || since >= kPositionSaved;  // < 0: the clock was set back
    if (batch.empty() && (!due || position_ == position_saved_)) return;
    write(std::move(batch), std::move(tell));
}

void AlertManager::write(AlertBatch batch, std::vector<Alert> tell) {
    batch.position = {registry_.epoch(), position_, wall_shift_};
    position_saved_ = position_;
    position_saved_at_ = now().micros;
    clerk_->write(std::move(batch), false,
                  [teller = teller_.get(), tell = std::move(tell)](const Status&) {
                      if (!tell.empty()) teller->tell(tell);
                  });
}

void AlertManager::hook_reported(const HookReport& report) {
    if (report.problem.empty())
        registry_.record(
            {.kind = EventKind::alert_hook_mended,
             .count = static_cast<std::uint32_t>(std::min<std::uint64_t>(report.lost, UINT32_MAX)),
             .text = report.hook});
    else
        registry_.record({.kind = EventKind::alert_hook_failed,
                          .text = fmt::format("{}: {}", report.hook, report.problem)});
}

std::string AlertManager::state_json() const {
    auto problem = clerk_->problem();
    if (problem.empty()) problem = note_;
    std::string out =
        fmt::format(R"({{"enabled":{},"firing":{},"unacknowledged":{},"silences":{},"problem":)",
                    options_.enabled, firing(), unacknowledged(), book_->silences().size());
    append_json_string(out, problem);
    out += R"(,"hooks":[)";
    for (const auto& hook : teller_->state()) {
        if (out.back() != '[') out += ',';
        out += R"({"hook":)";
        append_json_string(out, hook.hook);
        out += R"(,"problem":)";
        append_json_string(out, hook.problem);
        out += fmt::format(R"(,"told":{},"lost":{},"waiting":{}}})", hook.told, hook.lost,
                           hook.waiting);
    }
    return out + "]}";
}

}  // namespace snakepit::shm
