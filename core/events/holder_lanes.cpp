// SPDX-License-Identifier: MIT
#include "events/holder_lanes.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <unordered_map>
#include <utility>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

namespace snakepit::shm {

namespace {

// Start times are recorded as wall time: of the same process they differ a little after a restart
// of the manager, or a step of the clock.
constexpr std::int64_t kSameStart = 2'000'000;

class Lanes {
  public:
    void add(const EventRow& row) {
        if (out_.first.micros == 0) {
            out_.first = row.time;
            cut_ = row.kind != EventKind::allocated;
            epoch_ = row.epoch;
        }
        // Who held it then had to ask again.
        if (row.epoch != epoch_) end_all(row.time);
        epoch_ = row.epoch;
        if (row.kind == EventKind::freed) {
            end_all(row.time);
            out_.freed = row.time;
        } else if (row.kind == EventKind::references) {
            take(row);
        }
        any_ = any_ || row.kind == EventKind::references;
    }

    HolderLanes finish() {
        std::stable_sort(out_.lanes.begin(), out_.lanes.end(), [](const auto& a, const auto& b) {
            if (a.holds_now() != b.holds_now()) return a.holds_now();
            return a.holds_now() ? a.holds.back().from < b.holds.back().from
                                 : b.holds.back().to < a.holds.back().to;
        });
        return std::move(out_);
    }

  private:
    void take(const EventRow& row) {
        const auto detail = QJsonDocument::fromJson(QByteArray::fromStdString(row.detail)).object();
        const auto more = std::max<qint64>(detail[QLatin1String("more")].toInteger(), 0);
        out_.unnamed = std::max(out_.unnamed, static_cast<std::uint64_t>(more));
        // A process with several clients is several holders.
        std::unordered_map<std::size_t, std::uint64_t> counts;
        for (const auto& value : detail[QLatin1String("holders")].toArray()) {
            const auto holder = value.toObject();
            const auto count = holder[QLatin1String("count")].toInteger();
            if (count <= 0) continue;
            const auto at = lane_of(holder);
            hold(out_.lanes[at], row.time, holder);
            counts[at] += static_cast<std::uint64_t>(count);
        }
        for (const auto& [at, count] : counts) {
            auto& most = out_.lanes[at].holds.back().most;
            most = std::max(most, count);
            holding_.insert(at);
        }
        for (auto it = holding_.begin(); it != holding_.end();) {
            auto& last = out_.lanes[*it].holds.back();
            const bool named = counts.contains(*it);
            if (!named && more == 0) last.to = row.time;
            if (!named && more > 0 && last.unsure_from.micros == 0) last.unsure_from = row.time;
            it = !named && more == 0 ? holding_.erase(it) : std::next(it);
        }
    }

    std::size_t lane_of(const QJsonObject& holder) {
        const auto pid = holder[QLatin1String("pid")].toInteger();
        const auto started = from_rfc3339(holder[QLatin1String("started")].toString().toStdString())
                                 .value_or(Timestamp{});
        const auto [begin, end] = by_pid_.equal_range(pid);
        for (auto it = begin; it != end; ++it)
            if (std::abs(out_.lanes[it->second].started.micros - started.micros) <= kSameStart)
                return it->second;
        HolderLane lane;
        lane.pid = pid;
        lane.started = started;
        lane.process = holder[QLatin1String("process")].toString().toStdString();
        out_.lanes.push_back(std::move(lane));
        by_pid_.emplace(pid, out_.lanes.size() - 1);
        return out_.lanes.size() - 1;
    }

    void hold(HolderLane& lane, Timestamp time, const QJsonObject& holder) const {
        if (lane.worker.empty())
            lane.worker = holder[QLatin1String("worker")].toString().toStdString();
        if (lane.holds.empty() || !lane.holds_now()) {
            lane.holds.emplace_back();
            lane.holds.back().from = time;
            lane.holds.back().began_before = cut_ && !any_;
        }
        auto& now = lane.holds.back();
        now.unsure_from = {};  // it is named again, so it held in between
        now.read_only = now.read_only && holder[QLatin1String("read_only")].toBool();
    }

    void end_all(Timestamp time) {
        for (const auto at : holding_) out_.lanes[at].holds.back().to = time;
        holding_.clear();
    }

    std::unordered_multimap<std::int64_t, std::size_t> by_pid_;  // lanes
    std::set<std::size_t> holding_;                              // lanes
    HolderLanes out_;
    std::uint64_t epoch_ = 0;
    bool cut_ = false;  // the first event is not the allocation
    bool any_ = false;  // an event told of holders
};

}  // namespace

std::vector<EventKind> holder_lane_kinds() {
    return {EventKind::allocated, EventKind::durable_restored, EventKind::references,
            EventKind::freed};
}

HolderLanes holder_lanes(const std::vector<EventRow>& rows) {
    Lanes lanes;
    for (const auto& row : rows) lanes.add(row);
    return lanes.finish();
}

}  // namespace snakepit::shm
