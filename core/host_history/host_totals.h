// SPDX-License-Identifier: MIT
// What programs, users and control groups of the host have of its shared memory.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "survey/segment_memory.h"

namespace snakepit::shm {

enum class TotalsBy : std::uint8_t { program, user, group };
inline constexpr std::array kTotalsBy{TotalsBy::program, TotalsBy::user, TotalsBy::group};
std::string_view to_string(TotalsBy by);  // "program", "user", "group"

// Segments and their resident bytes.
struct UsageTotal {
    std::string name;
    double bytes = 0, most_bytes = 0;  // on average, and at most
    double segments = 0;
    double left_bytes = 0, left_segments = 0;  // left over
    UsageTotal& operator+=(const UsageTotal& other);
};

struct HostTotals {
    Timestamp time;
    double surveys = 1;
    UsageTotal all;                                            // without a name
    double processes = 0, unreadable = 0;                      // that could not be inspected
    std::array<std::vector<UsageTotal>, kTotalsBy.size()> by;  // by TotalsBy, the largest first

    const std::vector<UsageTotal>& of(TotalsBy kind) const {
        return by[static_cast<std::size_t>(kind)];
    }
};

inline constexpr std::size_t kMostNames = 20;  // of each kind
inline constexpr std::string_view kOtherNames = "(other)";
inline constexpr std::string_view kNotTold = "(not told)";

// `memory`: what earlier surveys found out, and this one.
HostTotals totals_of(const HostSurvey& survey, const SegmentMemory& memory);

// The largest by bytes, and the rest as one.
std::vector<UsageTotal> largest(std::vector<UsageTotal> totals);

// Several rows as one: averages over all their surveys. The time is that of the first.
HostTotals merged(const std::vector<HostTotals>& rows);

}  // namespace snakepit::shm
