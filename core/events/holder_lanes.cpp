// SPDX-License-Identifier: MIT
#include "events/holder_lanes.h"

#include <algorithm>
#include <map>
#include <utility>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

namespace snakepit::shm {

namespace {

using Who = std::pair<std::int64_t, std::int64_t>;  // process id, start time

class Lanes {
  public:
    void add(const EventRow& row) {
        if (out_.first.micros == 0) out_.first = row.time;
        if (row.kind == EventKind::freed) {
            end_all(row.time);
            out_.freed = row.time;
        } else if (row.kind == EventKind::references) {
            take(row);
        }
    }

    HolderLanes finish() {
        for (auto& [who, lane] : lanes_) out_.lanes.push_back(std::move(lane));
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
        std::vector<Who> named;
        for (const auto& value : detail[QLatin1String("holders")].toArray()) {
            const auto holder = value.toObject();
            const auto count = holder[QLatin1String("count")].toInteger();
            if (count <= 0) continue;
            named.push_back(hold(row.time, holder, static_cast<std::uint64_t>(count)));
        }
        for (auto& [who, lane] : lanes_) {
            if (!lane.holds_now() || std::find(named.begin(), named.end(), who) != named.end())
                continue;
            auto& last = lane.holds.back();
            if (more == 0)
                last.to = row.time;
            else if (last.unsure_from.micros == 0)
                last.unsure_from = row.time;
        }
    }

    Who hold(Timestamp time, const QJsonObject& holder, std::uint64_t count) {
        const Who who{holder[QLatin1String("pid")].toInteger(),
                      holder[QLatin1String("started")].toInteger()};
        auto& lane = lanes_[who];
        if (lane.holds.empty()) {
            lane.pid = who.first;
            lane.started = who.second;
            lane.process = holder[QLatin1String("process")].toString().toStdString();
        }
        if (lane.worker.empty())
            lane.worker = holder[QLatin1String("worker")].toString().toStdString();
        if (lane.holds.empty() || !lane.holds_now()) lane.holds.push_back({.from = time});
        auto& now = lane.holds.back();
        now.unsure_from = {};  // it is named again, so it held in between
        now.most = std::max(now.most, count);
        now.read_only = now.read_only && holder[QLatin1String("read_only")].toBool();
        return who;
    }

    void end_all(Timestamp time) {
        for (auto& [who, lane] : lanes_)
            if (lane.holds_now()) lane.holds.back().to = time;
    }

    std::map<Who, HolderLane> lanes_;
    HolderLanes out_;
};

}  // namespace

std::vector<EventKind> holder_lane_kinds() {
    return {EventKind::allocated, EventKind::references, EventKind::freed};
}

HolderLanes holder_lanes(const std::vector<EventRow>& rows) {
    Lanes lanes;
    for (const auto& row : rows) lanes.add(row);
    return lanes.finish();
}

}  // namespace snakepit::shm
