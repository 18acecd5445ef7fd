// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <vector>

#include "layout/registry_layout.h"
#include "telemetry/recommendations.h"

namespace snakepit::shm {

// What grows towards a limit, every ten seconds for an hour: what recommendations look back on.
class UsageHistory {
  public:
    void add(const layout::Sample& sample) {
        // A clock that was set back tells nothing of how fast things went.
        if (!points_.empty() && sample.time < points_.back().time) points_.clear();
        if (!points_.empty() && sample.time - points_.back().time < kEvery) return;
        points_.push_back({sample.time, static_cast<double>(sample.regions),
                           static_cast<double>(sample.bytes_used),
                           static_cast<double>(sample.shm_total - sample.shm_free)});
        if (points_.size() > kKept) points_.pop_front();
    }
    std::vector<TrendPoint> regions() const { return series(&Point::regions); }
    std::vector<TrendPoint> memory() const { return series(&Point::memory); }
    std::vector<TrendPoint> host() const { return series(&Point::host); }

  private:
    static constexpr std::int64_t kEvery = 10'000'000;  // microseconds
    static constexpr std::size_t kKept = 360;
    struct Point {
        std::int64_t time = 0;
        double regions = 0, memory = 0, host = 0;
    };
    std::vector<TrendPoint> series(double Point::*member) const {
        std::vector<TrendPoint> out;
        for (const auto& point : points_) out.push_back({{point.time}, point.*member});
        return out;
    }
    std::deque<Point> points_;
};

}  // namespace snakepit::shm
