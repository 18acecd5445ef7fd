// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/workspace.h"

#include "base/time.h"
#include "ui/models/format.h"
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
      polling_(u"polling"_s) {
    // One shot, started again when the answer has been taken in: ticks never pile up.
    timer_.setSingleShot(true);
    timer_.setInterval(kWatchedMillis);
    connect(&timer_, &QTimer::timeout, this, &Workspace::poll);
}

void Workspace::set_watched(bool watched) {
    timer_.setInterval(watched ? kWatchedMillis : kUnwatchedMillis);
}

void Workspace::poll() {
    if (paused_) {
        timer_.start();
        return;
    }
    polling_.run(
        this, [source = source_] { return source->poll(); },
        [this](Result<SourceTick> result) {
            receive(std::move(result));
            timer_.start();
        });
}

void Workspace::receive(Result<SourceTick> result) {
    const auto at = monotonic_millis();
    if (result) {
        if (result->delta.reset) {
            samples_.clear();
            timings_.clear();
        }
        if (result->timings) timings_.add(std::move(result->timings), at);
        regions_.apply(std::move(result->delta), at);
        clients_ = std::move(result->clients);
        set_worker_names(clients_);
        samples_.insert(samples_.end(), result->samples.begin(), result->samples.end());
        while (samples_.size() > kMaxSamples) samples_.pop_front();
        manager_pid_ = result->manager_pid;
        started_at_ = result->started_at;
        heartbeat_ = result->heartbeat;
        event_head_ = result->event_head;
        events_lost_ = result->events_lost;
        const bool beats = now().micros - heartbeat_.micros < kSilentMicros;
        set_link(parts_.bundle ? Link::bundle : beats ? Link::connected : Link::silent, {});
    } else {
        set_link(Link::absent, error_text(result.error()));
    }
    Q_EMIT ticked();
    if (at - last_second_ < 1000) return;
    last_second_ = at;
    Q_EMIT second_passed();
}

void Workspace::set_link(Link link, const QString& problem) {
    if (link == link_ && problem == problem_) return;
    link_ = link;
    problem_ = problem;
    Q_EMIT link_changed();
}

void Workspace::select(std::vector<RegionKey> keys) {
    if (keys == selection_) return;
    selection_ = std::move(keys);
    Q_EMIT selection_changed();
}

QString Workspace::commands_title() const {
    return parts_.bundle ? tr("On the command line of %1").arg(parts_.bundle->host)
                         : tr("On the command line");
}

QString Workspace::command(const QString& words) const {
    const auto option = instance_ == u"default" ? QString() : u" --instance %1"_s.arg(instance_);
    return u"snakepit-shm%1 %2"_s.arg(option, words);
}

}  // namespace snakepit::shm::ui
