// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/time_travel.h"

#include <algorithm>

#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kYear = 366 * 86'400LL * 1'000'000;  // microseconds; as long as metrics stay

struct Reach {
    Timestamp first, measured;  // of anything, and of metrics; 0: nothing
};

// The oldest metric that is still there; at 0: none.
MetricPoint first_metric(HistoryPort* history) {
    if (!history) return {};
    const auto to = now();
    const auto lists = history->series({"regions"}, {to.micros - kYear}, to, 400);
    return lists && !lists->front().empty() ? lists->front().front() : MetricPoint{};
}

// `event`: the first one; 0: none.
Reach reach_of(Timestamp event, const MetricPoint& metric) {
    if (event.micros == 0 || metric.time.micros == 0)
        return {std::max(event, metric.time), metric.time};
    // The row of an hour begins with the hour, also where the first measurement was later.
    const bool within = event.micros < metric.time.micros + metric.seconds * kMicrosPerSecond;
    const auto measured = within ? std::max(event, metric.time) : metric.time;
    return {std::min(event, measured), measured};
}

}  // namespace

// Used by the worker, apart from what is atomic.
struct TimeTravel::Search {
    explicit Search(Workspace& workspace)
        : events(workspace.event_source()),
          metrics(workspace.history_port()),
          history([this](const EventQuery& query) { return events->query(query); }) {}

    bool go_on(std::int64_t seq) {
        read = seq;
        return !ended;
    }
    Result<Past> at(Timestamp moment, const std::vector<RegionInfo>& present) {
        newest = newest_row();
        Past past;
        SHM_ASSIGN(past.state,
                   history.at(moment, present, [this](std::int64_t seq) { return go_on(seq); }));
        // Without them the regions are shown all the same.
        if (metrics) (void)add_samples(past, *metrics);
        return past;
    }
    std::int64_t newest_row() {
        EventQuery query;
        query.newest_first = true;
        query.limit = 1;
        const auto rows = events->query(query);
        return rows && !rows->empty() ? rows->front().seq : 0;
    }

    std::shared_ptr<EventSource> events;
    std::shared_ptr<HistoryPort> metrics;
    RegionHistory history;
    std::atomic<bool> ended{false};
    std::atomic<std::int64_t> read{0}, newest{0};  // numbers of rows
};

TimeTravel::TimeTravel(Workspace& workspace, QObject* parent)
    : QObject(parent),
      workspace_(workspace),
      search_(std::make_shared<Search>(workspace)),
      background_(u"travelling"_s) {}

TimeTravel::~TimeTravel() {
    search_->ended = true;
    search_->events->interrupt();
}

Timestamp TimeTravel::last() const {
    return workspace_.bundle() ? workspace_.bundle()->at : now();
}

double TimeTravel::progress() const {
    const auto newest = search_->newest.load();
    return newest == 0 ? 0 : static_cast<double>(search_->read) / static_cast<double>(newest);
}

void TimeTravel::ask_reach() {
    background_.run(
        this,
        [search = search_] {
            const auto rows = search->history.reach();
            return reach_of(rows ? rows->first : Timestamp{}, first_metric(search->metrics.get()));
        },
        [this](const Reach& reach) {
            workspace_.set_first_measured(reach.measured);
            if (reach.first == first_) return;
            first_ = reach.first;
            Q_EMIT reach_changed();
        });
}

void TimeTravel::go_to(Timestamp moment) {
    if (moment >= last()) return go_live();
    wanted_ = std::max(moment, first_);
    problem_.clear();
    Q_EMIT changed();
    if (!searching_) search();
}

void TimeTravel::step(std::int64_t micros) {
    go_to({wanted_.value_or(last()).micros + micros});
}

void TimeTravel::go_live() {
    if (searching_) {
        search_->ended = true;
        search_->events->interrupt();
    }
    wanted_.reset();
    found_.reset();
    problem_.clear();
    workspace_.show_live();
    Q_EMIT changed();
}

void TimeTravel::search() {
    searching_ = true;
    found_ = wanted_;
    search_->ended = false;
    background_.run(
        this,
        [search = search_, moment = *wanted_, present = workspace_.present()] {
            return search->at(moment, *present);
        },
        [this](Result<Past> past) {
            searching_ = false;
            receive(std::move(past));
        });
    Q_EMIT changed();
}

// One that nobody waits for any more is dropped; on the way to another one it is shown.
void TimeTravel::receive(Result<Past> past) {
    const bool current = wanted_ == found_;
    if (wanted_) {
        if (past)
            workspace_.show_past(std::move(*past));
        else if (current)
            problem_ = error_text(past.error());
        if (!current) return search();
        if (!past) wanted_.reset();
        if (!past && workspace_.past()) wanted_ = workspace_.past()->state.moment;
    }
    Q_EMIT changed();
}

}  // namespace snakepit::shm::ui
