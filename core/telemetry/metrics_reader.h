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

// The value of a metric over some time.
struct MetricPoint {
    Timestamp time;  // where that time begins
    double min = 0, avg = 0, max = 0;
    std::int64_t seconds = 1;  // its length: 1, 10, 60, 3600 … or a multiple
};

// Reads metrics.db from any process, with or without a manager. Never writes it. One thread at a
// time.
class MetricsReader {
  public:
    // The database is opened by the first call.
    explicit MetricsReader(const std::string& path);
    MetricsReader(MetricsReader&&) noexcept;
    MetricsReader& operator=(MetricsReader&&) noexcept;
    ~MetricsReader();

    // from <= time < to, at the finest resolution available for each part, oldest first.
    // invalid_argument for an unknown metric; database_unavailable if the file is missing or is not
    // a metrics database. A metric that was not recorded yet has no points.
    Result<std::vector<MetricPoint>> points(std::string_view metric, Timestamp from, Timestamp to);
    // The same in at most `max_points`, from a coarser resolution where that is enough.
    Result<std::vector<MetricPoint>> series(std::string_view metric, Timestamp from, Timestamp to,
                                            std::size_t max_points);

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
