// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/workspace.h"

#include "base/time.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/worker_names.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kWatchedMillis = 250;
constexpr int kUnwatchedMillis = 1000;
constexpr std::size_t kMaxSamples = 24 * 3600;  // a day at one a second
// The heart beats once a second; a manager that misses three is not serving anyone.
constexpr std::int64_t kSilentMicros = 3'500'000;

std::int64_t monotonic_millis() {
    return monotonic_nanos() / 1'000'000;
}

}  // namespace

Workspace::Workspace(QString instance, Parts parts, QObject* parent)
    : QObject(parent),
      instance_(std::move(instance)),
      parts_(std::move(parts)),
      source_(std::move(parts_.regions)),
      asking_(u"asking"_s),
      acting_(u"acting"_s),
      auditing_(u"auditing"_s),
      monitoring_(u"monitoring"_s),
      surveying_(u"surveying"_s),
      configuring_(u"configuring"_s),
      reading_(u"reading"_s),
      polling_(u"polling"_s) {
    set_command_instance(instance_);
    // One shot, started again when the answer has been taken in: ticks never pile up.
    timer_.setSingleShot(true);
    timer_.setInterval(kWatchedMillis);
    connect(&timer_, &QTimer::timeout, this, &Workspace::poll);
}

void Workspace::set_watched(bool watched) {
    watched_ = watched;
    timer_.setInterval(watched_ && !pause_ ? kWatchedMillis : kUnwatchedMillis);
}

void Workspace::set_paused(bool paused) {
    if (paused == pause_.has_value() || parts_.bundle || past_ || entering_ || leaving_) return;
    pause_.reset();
    if (paused) {
        pause_ = Pause{now(), 0, 0};
        backlog_.begin(regions_);
    }
    show_moment(shown_until());
    set_watched(watched_);
    Q_EMIT pause_changed();
    if (paused) return;
    if (auto tick = backlog_.take()) receive(std::move(*tick));
}

// What the window would show now, if it went on.
SourceTick Workspace::shown_tick() const {
    SourceTick tick;
    tick.clients = clients_;
    tick.samples.assign(samples_.begin(), samples_.end());
    tick.manager_pid = manager_pid_;
    tick.started_at = started_at_;
    tick.heartbeat = heartbeat_;
    tick.event_head = event_head_;
    tick.events_lost = events_lost_;
    return tick;
}

SourceTick Workspace::tick_of(const Past& past) {
    SourceTick tick;
    tick.delta = past_rows_->show(past.state);
    tick.clients = clients_of(past.state);
    tick.samples = past.samples;
    const auto& manager = past.state.manager;
    const bool running = manager.state == PastManager::State::running;
    tick.manager_pid = running ? manager.pid : 0;
    tick.started_at = running ? manager.since : Timestamp{};
    tick.heartbeat = past.state.moment;
    tick.event_head = past.samples.empty() ? 0 : past.samples.back().events;
    tick.events_lost = past.state.lost;
    return tick;
}

void Workspace::show_past(Past past) {
    set_paused(false);
    leave_past();
    if (past_) return show_moment_of(std::move(past));
    const bool first = !entering_;
    entering_ = std::move(past);
    if (!first) return;
    // Copies of all rows take a while. So does showing others, in the next turn.
    backlog_.begin(regions_, shown_tick());
    past_rows_ = std::make_shared<PastRows>(regions_);
    QTimer::singleShot(0, this, [this] {
        if (auto entering = std::exchange(entering_, std::nullopt))
            show_moment_of(std::move(*entering));
    });
}

void Workspace::show_moment_of(Past past) {
    past_ = std::move(past);
    show_moment(past_->state.moment);
    samples_.clear();
    take(tick_of(*past_));
    announce_moment();
}

void Workspace::show_live() {
    if ((!past_ && !entering_) || leaving_) return;
    entering_.reset();
    leaving_ = backlog_.take().value_or(SourceTick());
    leaving_->delta = past_rows_->leave(std::move(leaving_->delta.changed));
    // Again a turn for the copies and one for the tables.
    QTimer::singleShot(0, this, &Workspace::leave_past);
}

void Workspace::leave_past() {
    if (!leaving_) return;
    past_.reset();
    show_moment(parts_.bundle ? std::optional(parts_.bundle->at) : std::nullopt);
    samples_.clear();
    take(*std::exchange(leaving_, std::nullopt));
    if (auto since = backlog_.take()) take(std::move(*since));
    announce_moment();
    // What it kept of each region goes in the next turn.
    QTimer::singleShot(0, this, [rows = std::move(past_rows_)]() mutable { rows.reset(); });
}

void Workspace::announce_moment() {
    Q_EMIT ticked();
    Q_EMIT second_passed();
    Q_EMIT moment_changed();
}

std::shared_ptr<const std::vector<RegionInfo>> Workspace::present() const {
    return past_rows_ ? past_rows_->present() : present_in(regions_);
}

Timestamp Workspace::end_of_time() const {
    if (parts_.bundle) return parts_.bundle->at;
    return pause_ ? pause_->since : now();
}

void Workspace::set_period(std::optional<Period> period) {
    if (period == period_) return;
    period_ = period;
    Q_EMIT period_changed();
}

QString Workspace::why_not() const {
    if (past_) return tr("A past moment is shown. Go back to live to change anything.");
    return parts_.bundle ? tr("A bundle is read-only.") : QString();
}

QString Workspace::past_words() const {
    return past_ ? tr("at %1").arg(zoned_text(past_->state.moment)) : QString();
}

void Workspace::poll() {
    polling_.run(
        this, [source = source_] { return source->poll(); },
        [this](Result<SourceTick> result) {
            receive(std::move(result));
            timer_.start();
        });
}

void Workspace::receive(Result<SourceTick> result) {
    if (result) {
        heartbeat_ = result->heartbeat;
        const bool beats = now().micros - heartbeat_.micros < kSilentMicros;
        set_link(parts_.bundle ? Link::bundle : beats ? Link::connected : Link::silent, {});
    } else {
        set_link(Link::absent, error_text(result.error()));
    }
    if (past_ || entering_ || leaving_) {
        if (result) backlog_.add(std::move(*result));
        return;
    }
    if (pause_) {
        if (result) backlog_.add(std::move(*result));
        pause_->came = backlog_.came();
        pause_->went = backlog_.went();
        Q_EMIT pause_changed();
        return;
    }
    if (result) take(std::move(*result));
    Q_EMIT ticked();
    const auto at = monotonic_millis();
    if (at - last_second_ < 1000) return;
    last_second_ = at;
    Q_EMIT second_passed();
}

void Workspace::take(SourceTick tick) {
    const auto at = monotonic_millis();
    if (tick.delta.reset) {
        samples_.clear();
        timings_.clear();
    }
    if (tick.timings) timings_.add(std::move(tick.timings), at);
    regions_.apply(std::move(tick.delta), at);
    clients_ = std::move(tick.clients);
    set_worker_names(clients_);
    samples_.insert(samples_.end(), tick.samples.begin(), tick.samples.end());
    while (samples_.size() > kMaxSamples) samples_.pop_front();
    manager_pid_ = tick.manager_pid;
    started_at_ = tick.started_at;
    event_head_ = tick.event_head;
    events_lost_ = tick.events_lost;
}

void Workspace::set_link(Link link, const QString& problem) {
    if (link == link_ && problem == problem_) return;
    link_ = link;
    problem_ = problem;
    Q_EMIT link_changed();
}

void Workspace::select(std::vector<RegionKey> keys, std::size_t hidden) {
    if (keys == selection_ && hidden == selection_hidden_) return;
    selection_ = std::move(keys);
    selection_hidden_ = hidden;
    Q_EMIT selection_changed();
}

QString Workspace::commands_title() const {
    return parts_.bundle ? tr("On the command line of %1").arg(parts_.bundle->host)
                         : tr("On the command line");
}

}  // namespace snakepit::shm::ui
