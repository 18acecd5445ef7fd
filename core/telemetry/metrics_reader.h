// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace snakepit::shm {

// What a metric was for some time.
struct MetricPoint {
    Timestamp time;  // where that time begins
    double min = 0, avg = 0, max = 0;
    std::int64_t seconds = 1;  // how long it is: 1, 10, 60, 3600 … or several of those
};

// Reads metrics.db from any process, with or without a manager. Never writes it. One thread at a
// time.
class MetricsReader {
  public:
    // Nothing is opened before it is asked for.
    explicit MetricsReader(const std::string& path);
    MetricsReader(MetricsReader&&) noexcept;
    MetricsReader& operator=(MetricsReader&&) noexcept;
    ~MetricsReader();

    // from <= time < to, at the finest resolution there is for each part of it, oldest first.
    // invalid_argument when there is no such metric; database_unavailable when there is no
    // database, or it is none of ours. A metric that was not recorded yet has no points.
    Result<std::vector<MetricPoint>> points(std::string_view metric, Timestamp from, Timestamp to);
    // The same in at most `max_points`: a coarser resolution is read where it is enough.
    Result<std::vector<MetricPoint>> series(std::string_view metric, Timestamp from, Timestamp to,
                                            std::size_t max_points);

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
