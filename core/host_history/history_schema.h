// SPDX-License-Identifier: MIT
// The tables of host_history.db. `time` is where a row begins, microseconds since 1970 UTC.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/paths.h"

namespace snakepit::shm {

inline std::string host_history_db(const InstancePaths& paths) {
    return paths.state_dir + "/host_history.db";
}

inline constexpr int kHostHistorySchemaVersion = 1;

struct HostResolution {
    std::string_view suffix;  // of usage_ and surveys_
    std::int64_t seconds;     // of a row
    std::int64_t keep;        // seconds
};
inline constexpr std::array kHostResolutions{
    HostResolution{"1m", 60, 86'400},
    HostResolution{"10m", 600, 30LL * 86'400},
    HostResolution{"1h", 3600, 365LL * 86'400},
};

// Where the row of this resolution that holds `micros` begins.
constexpr std::int64_t begin_of(std::int64_t micros, const HostResolution& resolution) {
    const auto step = resolution.seconds * 1'000'000;
    return (micros >= 0 ? micros : micros - step + 1) / step * step;
}

}  // namespace snakepit::shm
