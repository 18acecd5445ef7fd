// SPDX-License-Identifier: MIT
// The tables of metrics.db. Each row is what all metrics were for some time; `time` is where that
// begins, microseconds since 1970 UTC. Columns are called as metrics are; in all but the finest
// table a metric is an average, with its lowest and highest beside it and `n` samples behind it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace snakepit::shm {

inline constexpr int kMetricsSchemaVersion = 1;

struct Resolution {
    std::string_view table;
    std::int64_t seconds;  // of a row
    std::int64_t keep;     // seconds
};

inline constexpr std::int64_t kDaySeconds = 86'400;
inline constexpr std::array kResolutions{
    Resolution{"samples_1s", 1, 15 * 60},
    Resolution{"samples_10s", 10, kDaySeconds},
    Resolution{"samples_1m", 60, 30 * kDaySeconds},
    Resolution{"samples_1h", 3600, 365 * kDaySeconds},
};

// Where the row of this length that holds `micros` begins.
constexpr std::int64_t begin_of(std::int64_t micros, std::int64_t seconds) {
    const auto step = seconds * 1'000'000;
    return (micros >= 0 ? micros : micros - step + 1) / step * step;
}

// The column of a metric; `end`: "", "_min" or "_max".
inline std::string column_of(std::string_view metric, std::string_view end = {}) {
    return '"' + std::string(metric) + std::string(end) + '"';
}

}  // namespace snakepit::shm
