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

// The sizes by which the wall clock was set after an entry, summed: added to its time they give the
// time by the clock as it is set now. The entries from `first` on are visited in their order.
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

std::uint64_t oldest_in(const EventRing& ring) {
    return ring.head() > layout::kRingEntries ? ring.head() - layout::kRingEntries + 1 : 1;
}

std::uint32_t clamped(std::uint64_t count) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, UINT32_MAX));
}

}  // namespace

AlertManager::AlertManager(RegionRegistry& registry, std::shared_ptr<StateDatabase> database,
                           Post post)
    : registry_(registry),
      post_(std::move(post)),
      store_(std::make_unique<AlertStore>(std::move(database))) {
    dispatcher_ = std::make_unique<NotificationDispatcher>(
        registry.instance(),
        [this](const ReceiverReport& report) {
            post_([this, report] { receiver_reported(report); });
        },
        [this](const Notification& notification, std::function<void()> then) {
            mark_notified(notification, std::move(then));
        });
    start(store_->load());
}

AlertManager::~AlertManager() {
    AlertBatch last;
    last.position = {registry_.epoch(), position_, wall_shift_};
    store_->write(std::move(last), true);
    store_->wait();       // it may still hand alerts to the dispatcher
    dispatcher_.reset();  // which writes marks
    store_.reset();
}

void AlertManager::mark_notified(const Notification& notification, std::function<void()> then) {
    AlertBatch batch;
    auto& mark = batch.notified.emplace_back();
    mark.resolved = !notification.firing();
    for (const auto& alert : notification.alerts) mark.ids.push_back(alert.id);
    store_->write(std::move(batch), false, [then = std::move(then)](const Status&) {
        if (then) then();
    });
}

void AlertManager::start(Result<AlertSnapshot> loaded) {
    AlertSnapshot stored;
    if (loaded) {
        stored = std::move(*loaded);
        note_ = stored.note;
    } else {
        note_ = loaded.error().sentence();
        // Ids that no row has, whatever the database contains.
        stored.last_alert = stored.last_silence = static_cast<std::uint64_t>(now().micros / 1000);
    }
    state_ = std::make_unique<AlertState>(stored);
    const auto head = registry_.ring().head();
    const bool same_ring = stored.position.epoch == registry_.epoch();
    // Events of a ring that no manager with alerts has read are not evaluated, unless it is new.
    position_ = same_ring ? stored.position.seq : registry_.fresh() ? 0 : head;
    position_saved_ = position_;
    wall_shift_ = same_ring ? stored.position.wall_shift : registry_.wall_shift();
    follow_clock();
    std::vector<AlertChange> none;
    const auto at = now();
    each_event(oldest_in(registry_.ring()), std::min(position_, head), [&](ObservedEvent event) {
        if (at.micros - event.time.micros < state_->longest_window())
            state_->observe(at, event, true, none);
    });
    pending_resolved_ = stored.pending_resolved;
    close_orphaned(stored);
}

// Resolves alerts whose rule was removed or switched off in the database.
void AlertManager::close_orphaned(const AlertSnapshot& stored) {
    const auto live = state_->live();
    for (const auto& [alert, notified] : stored.firing) {
        const auto id = alert.id;
        if (std::any_of(live.begin(), live.end(), [id](const Alert& a) { return a.id == id; }))
            continue;
        AlertChange change{AlertTransition::resolved, alert};
        change.alert.state = Alert::State::resolved;
        change.alert.resolved_at = now();
        if (notified) pending_resolved_.push_back(change.alert);
        orphaned_.push_back(std::move(change));
    }
}

void AlertManager::configure(const AlertOptions& options) {
    const bool receivers = options.journal != options_.journal ||
                           options.command != options_.command ||
                           options.webhook != options_.webhook || dispatcher_->state().empty();
    options_ = options;
    if (receivers) dispatcher_->set_receivers(make_receivers(options_));
    if (!orphaned_.empty()) publish(std::exchange(orphaned_, {}), now());
    if (!pending_resolved_.empty()) write({}, std::exchange(pending_resolved_, {}));
    // What fires and was not told before the last manager ended.
    publish({}, now());
}

void AlertManager::follow_clock() {
    const auto step = registry_.wall_shift() - wall_shift_;
    if (step == 0) return;
    wall_shift_ += step;
    state_->follow_clock(step);
    AlertBatch batch;
    batch.silences = state_->silences();
    write(std::move(batch), {});
}

void AlertManager::evaluate(const layout::Sample& sample, std::span<const SubjectValue> subjects) {
    follow_clock();
    if (!options_.enabled) {
        position_ = registry_.ring().head();  // events of this time are not evaluated later
        return;
    }
    const Timestamp at{sample.time};
    std::vector<AlertChange> changes;
    read_events(at, changes);
    state_->evaluate(at, sample, subjects, changes);
    AlertBatch batch;
    for (const auto& over : state_->end_silences(at)) {
        batch.ended_silences.push_back(over.id);
        record(EventKind::alert_unsilenced, {}, over.id, over.rule, over.subject);
    }
    if (!batch.empty()) write(std::move(batch), {});
    publish(changes, at);
}

template <typename Visit>
void AlertManager::each_event(std::uint64_t first, std::uint64_t last, Visit visit) {
    const auto& ring = registry_.ring();
    LaterSteps steps(ring, first);
    for (auto seq = first; seq <= last; ++seq) {
        const auto* entry = ring.entry(seq);
        if (!entry) continue;
        const auto later = steps.after(*entry);
        if (!state_->wants(static_cast<EventKind>(entry->kind))) continue;
        auto event = observed(*entry);
        event.time.micros += later;
        visit(std::move(event));
    }
}

void AlertManager::read_events(Timestamp at, std::vector<AlertChange>& changes) {
    const auto head = registry_.ring().head();
    const auto first = std::max(position_ + 1, oldest_in(registry_.ring()));
    const auto missed = first - position_ - 1;
    each_event(first, head,
               [&](const ObservedEvent& event) { state_->observe(at, event, false, changes); });
    position_ = std::max(position_, head);
    if (missed > 0) registry_.record({.kind = EventKind::alerts_skipped, .count = clamped(missed)});
}

void AlertManager::refill(const std::string& rule) {
    const auto* found = state_->find(rule);
    if (!found || !found->event) return;
    each_event(oldest_in(registry_.ring()), position_,
               [&](const ObservedEvent& event) { state_->refill(rule, event); });
}

void AlertManager::record(EventKind kind, const AlertCaller& by, std::uint64_t number,
                          std::string_view rule, std::string_view subject, std::uint32_t count) {
    const bool own = by.pid == 0;  // without a request
    registry_.record({.kind = kind,
                      .pid = own ? ::getpid() : by.pid,
                      .uid = own ? ::geteuid() : by.uid,
                      .count = count,
                      .value = number,
                      .text = about(rule, subject)});
}

void AlertManager::publish(const std::vector<AlertChange>& changes, Timestamp at) {
    AlertBatch batch;
    std::vector<Alert> notify;
    const auto keep = [&](const Alert& alert) {
        const auto same = std::find_if(batch.alerts.begin(), batch.alerts.end(),
                                       [&](const Alert& other) { return other.id == alert.id; });
        if (same != batch.alerts.end())
            *same = alert;
        else
            batch.alerts.push_back(alert);
    };
    for (auto [transition, alert] : changes) {
        if (transition == AlertTransition::began || transition == AlertTransition::dropped)
            continue;
        alert.silenced = state_->silenced(alert);
        if (transition == AlertTransition::fired) {
            record(EventKind::alert_fired, {}, alert.id, alert.rule, alert.subject);
            if (state_->notify(alert, options_.min_severity)) notify.push_back(alert);
        }
        if (transition == AlertTransition::resolved) {
            record(EventKind::alert_resolved, {}, alert.id, alert.rule, alert.subject,
                   alert.times_fired);
            if (state_->notified(alert.id)) notify.push_back(alert);
        }
        keep(alert);
        if (transition == AlertTransition::resolved) state_->forget(alert.id);
    }
    for (const auto& alert : state_->pending_notifications(options_.min_severity)) {
        notify.push_back(alert);
        keep(alert);
    }
    const auto since = at.micros - position_saved_at_;
    const bool due = since < 0 || since >= kPositionSaved;  // < 0: the clock was set back
    if (batch.empty() && (!due || position_ == position_saved_)) return;
    write(std::move(batch), std::move(notify));
}

void AlertManager::write(AlertBatch batch, std::vector<Alert> notify) {
    batch.position = {registry_.epoch(), position_, wall_shift_};
    position_saved_ = position_;
    position_saved_at_ = now().micros;
    store_->write(std::move(batch), false,
                  [dispatcher = dispatcher_.get(), notify = std::move(notify)](const Status&) {
                      if (!notify.empty()) dispatcher->dispatch(notify);
                  });
}

void AlertManager::receiver_reported(const ReceiverReport& report) {
    if (report.problem.empty())
        registry_.record({.kind = EventKind::alert_hook_mended,
                          .count = clamped(report.lost),
                          .text = report.receiver});
    else
        registry_.record({.kind = EventKind::alert_hook_failed,
                          .text = fmt::format("{}: {}", report.receiver, report.problem)});
}

std::string AlertManager::state_json() const {
    auto problem = store_->problem();
    if (problem.empty()) problem = note_;
    std::string out =
        fmt::format(R"({{"enabled":{},"firing":{},"unacknowledged":{},"silences":{},"problem":)",
                    options_.enabled, firing(), unacknowledged(), state_->silences().size());
    append_json_string(out, problem);
    out += R"(,"hooks":[)";
    for (const auto& receiver : dispatcher_->state()) {
        if (out.back() != '[') out += ',';
        out += R"({"hook":)";
        append_json_string(out, receiver.receiver);
        out += R"(,"problem":)";
        append_json_string(out, receiver.problem);
        out += fmt::format(R"(,"delivered":{},"lost":{},"waiting":{}}})", receiver.delivered,
                           receiver.lost, receiver.waiting);
    }
    return out + "]}";
}

}  // namespace snakepit::shm
