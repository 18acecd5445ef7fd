// SPDX-License-Identifier: MIT
#include "telemetry/recommendations.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kShortestTrend = 5 * 60;  // seconds
constexpr std::size_t kFewestPoints = 20;
constexpr double kGoodFit = 0.9;
constexpr double kFurthest = 7 * 86'400.0;       // seconds
constexpr double kLeastGain = 0.001;             // of the limit, in the time of the points
constexpr std::uint64_t kWorthIt = 16ULL << 20;  // bytes saved, or it is not worth a change
constexpr std::uint64_t kSmallestArena = 2ULL << 20;
constexpr double kWorthDefragmenting = 0.25;  // share of the span that is holes
constexpr double kMuchIdle = 0.1;             // share of what regions take
constexpr std::uint64_t kIdleAtLeast = 1ULL << 20;
constexpr std::uint64_t kOftenMet = 10;

std::string amount(double value, bool bytes) {
    if (bytes) return format_size(static_cast<std::uint64_t>(std::max(0.0, value)));
    return fmt::format("{:.0f}", value);
}

// In a rounded unit: "about 40 minutes".
std::string about(double seconds) {
    struct Unit {
        double seconds;
        std::string_view name;
    };
    constexpr std::array kUnits{Unit{86'400, "day"}, Unit{3'600, "hour"}, Unit{60, "minute"}};
    for (const auto& unit : kUnits) {
        const auto count = std::lround(seconds / unit.seconds);
        if (seconds >= unit.seconds || unit.seconds == 60)
            return fmt::format("about {} {}{}", std::max(count, 1L), unit.name,
                               count > 1 ? "s" : "");
    }
    return {};
}

double seconds_between(Timestamp from, Timestamp to) {
    return static_cast<double>(to.micros - from.micros) / kMicrosPerSecond;
}

std::uint64_t percent(double share) {
    return static_cast<std::uint64_t>(std::lround(share * 100));
}

}  // namespace

// Least squares.
std::optional<Trend> trend_of(std::span<const TrendPoint> points) {
    if (points.size() < 2) return std::nullopt;
    const auto count = static_cast<double>(points.size());
    const auto origin = points.front().time;
    double time = 0, value = 0;
    for (const auto& point : points) {
        time += seconds_between(origin, point.time) / count;
        value += point.value / count;
    }
    double times = 0, both = 0, values = 0;
    for (const auto& point : points) {
        const auto t = seconds_between(origin, point.time) - time;
        const auto v = point.value - value;
        times += t * t;
        both += t * v;
        values += v * v;
    }
    if (times <= 0) return std::nullopt;
    Trend trend;
    trend.per_second = both / times;
    trend.now = value + trend.per_second * (seconds_between(origin, points.back().time) - time);
    trend.fit = values > 0 ? both * both / (times * values) : 0;
    return trend;
}

std::optional<Recommendation> limit_ahead(const Limit& limit, std::span<const TrendPoint> points) {
    if (limit.value <= 0 || points.size() < kFewestPoints) return std::nullopt;
    const auto span = seconds_between(points.front().time, points.back().time);
    const auto trend = trend_of(points);
    if (!trend || span < kShortestTrend || trend->fit < kGoodFit || trend->per_second <= 0)
        return std::nullopt;
    const auto left = limit.value - points.back().value;
    const auto gained = trend->per_second * span;
    if (left <= 0 || gained < kLeastGain * limit.value) return std::nullopt;
    const auto seconds = left / trend->per_second;
    if (seconds > kFurthest) return std::nullopt;
    return Recommendation{
        "limit",
        fmt::format("the limit of {} ({}) will be reached in {} at this rate: find the growing "
                    "program, or raise {}",
                    limit.what, amount(limit.value, limit.bytes), about(seconds), limit.key),
        fmt::format("{} more in {}, {} now; a linear trend explains {} % of it",
                    amount(gained, limit.bytes),
                    format_duration(static_cast<std::int64_t>(span) * 1000),
                    amount(points.back().value, limit.bytes), percent(trend->fit)),
        0};
}

// Half of arena_size is reserved behind the last region, 32 MiB at most. Reserving as much as the
// existing regions use is enough.
std::optional<Recommendation> smaller_arenas(std::span<const ArenaUse> arenas,
                                             std::uint64_t arena_size) {
    std::uint64_t used = 0, spare = 0, largest = 0;
    for (const auto& arena : arenas) {
        used += arena.used;
        spare += arena.reserved > arena.used ? arena.reserved - arena.used : 0;
        largest = std::max(largest, arena.span);
    }
    const auto size = std::max(kSmallestArena, std::bit_ceil(largest));
    if (size >= arena_size || spare < used) return std::nullopt;
    std::uint64_t saved = 0;
    for (const auto& arena : arenas) {
        const auto behind = arena.reserved > arena.span ? arena.reserved - arena.span : 0;
        saved += behind > size / 2 ? behind - size / 2 : 0;
    }
    if (saved < kWorthIt) return std::nullopt;
    return Recommendation{
        "arena_size",
        fmt::format("arena_size = \"{}\" would save {}", format_size(size), format_size(saved)),
        fmt::format("in {}, regions take {} and {} is ready for more; none reaches beyond {}",
                    pluralize(arenas.size(), "arena"), format_size(used), format_size(spare),
                    format_size(largest)),
        saved};
}

std::optional<Recommendation> defragmentation(std::span<const ArenaUse> arenas) {
    std::uint64_t span = 0, used = 0;
    for (const auto& arena : arenas) {
        span += arena.span;
        used += std::min(arena.used, arena.span);
    }
    const auto holes = span - used;
    const auto share = span == 0 ? 0 : static_cast<double>(holes) / static_cast<double>(span);
    if (holes < kWorthIt || share < kWorthDefragmenting) return std::nullopt;
    return Recommendation{
        "defragment",
        fmt::format("'snakepit-shm defragment' would join {} of free memory", format_size(holes)),
        fmt::format("{} % of the {} that arenas span is holes between regions", percent(share),
                    format_size(span)),
        holes};
}

std::optional<Recommendation> idle_memory(std::uint64_t regions, std::uint64_t bytes,
                                          std::uint64_t bytes_used) {
    if (bytes < kIdleAtLeast ||
        static_cast<double>(bytes) < kMuchIdle * static_cast<double>(bytes_used))
        return std::nullopt;
    return Recommendation{
        "idle_memory",
        fmt::format("'snakepit-shm cleanup --all-eligible --dry-run' lists up to {} that is unused",
                    format_size(bytes)),
        fmt::format("{} ({}) {} unused; all regions take {}", pluralize(regions, "region"),
                    format_size(bytes), regions == 1 ? "is" : "are", format_size(bytes_used)),
        bytes};
}

Recommendation never_unmaps(const Taker& taker) {
    const auto who = taker.session.empty()
                         ? taker.name
                         : fmt::format("session {} ({})", taker.session, taker.name);
    return {"never_unmaps", fmt::format("{} never unmaps: check it for a missing unmap", who),
            fmt::format("{}; has released none for {}", taker.holds,
                        format_duration(taker.seconds * 1000)),
            0};
}

std::vector<Recommendation> limits_met(const std::map<ErrorCode, std::uint64_t>& errors) {
    struct Known {
        ErrorCode code;
        std::string_view advice;
    };
    constexpr std::array kKnown{
        Known{ErrorCode::region_limit_exceeded, "raise max_regions, or shorten default_timeout"},
        Known{ErrorCode::process_region_limit_exceeded,
              "raise max_regions_per_process, or deallocate regions when they are no longer used"},
        Known{ErrorCode::memory_limit_exceeded, "raise max_total_memory"},
        Known{ErrorCode::user_limit_exceeded, "raise the quota of that user"},
        Known{ErrorCode::size_exceeds_limit, "raise max_region_size"},
        Known{ErrorCode::no_space, "enlarge the shared memory file system, or use another"},
    };
    std::vector<Recommendation> out;
    for (const auto& known : kKnown) {
        const auto found = errors.find(known.code);
        if (found == errors.end() || found->second < kOftenMet) continue;
        out.push_back({"limit_met", std::string(known.advice),
                       fmt::format("{} requests failed with {} since the configuration was loaded",
                                   found->second, to_string(known.code)),
                       0});
    }
    return out;
}

}  // namespace snakepit::shm
