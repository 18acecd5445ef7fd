// SPDX-License-Identifier: MIT
// Advice that follows from how an instance is used. Pure functions: facts in, advice with its
// evidence out, if any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace snakepit::shm {

struct Recommendation {
    std::string topic;        // one word for programs: "arena_size", "limit" …
    std::string advice;       // what to do, one sentence
    std::string evidence;     // what was counted
    std::uint64_t bytes = 0;  // memory that it would free, if known
    friend bool operator==(const Recommendation&, const Recommendation&) = default;
};

struct TrendPoint {
    Timestamp time;
    double value = 0;
};
// A straight line fitted to points.
struct Trend {
    double per_second = 0;
    double now = 0;  // on the line, at the last point
    double fit = 0;  // 0 … 1: the share of the points' movement that the line explains
};
std::optional<Trend> trend_of(std::span<const TrendPoint> points);

// "reached in about 5 hours at this rate": a value that grows steadily and reaches its limit within
// a week. `key`: the configuration key of the limit.
struct Limit {
    std::string_view what;  // "regions", "memory of regions"
    double value = 0;
    bool bytes = false;
    std::string_view key;
};
std::optional<Recommendation> limit_ahead(const Limit& limit, std::span<const TrendPoint> points);

struct ArenaUse {
    std::uint64_t used = 0, span = 0, reserved = 0;  // bytes
};
// A smaller arena_size, when much more memory is kept ready behind the regions than they take.
std::optional<Recommendation> smaller_arenas(std::span<const ArenaUse> arenas,
                                             std::uint64_t arena_size);
std::optional<Recommendation> defragmentation(std::span<const ArenaUse> arenas);

// Memory that no process holds, compared with that of all regions.
std::optional<Recommendation> idle_memory(std::uint64_t regions, std::uint64_t bytes,
                                          std::uint64_t bytes_used);

struct Taker {                 // a program whose references only grow
    std::string name;          // "python (4711), worker w3"
    std::string session;       // may be empty
    std::string holds;         // evidence_of()
    std::int64_t seconds = 0;  // for so long
};
Recommendation never_unmaps(const Taker& taker);

// Limits that allocations reached repeatedly.
std::vector<Recommendation> limits_met(const std::map<ErrorCode, std::uint64_t>& errors);

}  // namespace snakepit::shm
