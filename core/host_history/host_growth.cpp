// SPDX-License-Identifier: MIT
#include "host_history/host_growth.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "base/units.h"
#include "host_history/history_schema.h"

namespace snakepit::shm {

namespace {

constexpr std::array<std::int64_t, 2> kWindows{3600, GrowthWatch::kLongest};
constexpr std::size_t kParts = 6;   // of a window
constexpr double kGivenBack = 0.1;  // of the growth, by which a part may be below the one before
constexpr double kRise = 0.05;      // of the growth, that a step must have to be one
constexpr int kLeastRises = 3;      // of kParts - 1

// The least that was there in each part of a window.
using Parts = std::array<std::optional<double>, kParts>;

void take(std::optional<double>& least, double value) {
    least = least ? std::min(*least, value) : value;
}

// Negative or 0: it does not grow. `from_one_step`: it need not go on.
double growth_of(const Parts& parts, bool from_one_step) {
    if (std::any_of(parts.begin(), parts.end(), [](const auto& part) { return !part; })) return 0;
    const auto growth = *parts.back() - *parts.front();
    int rises = 0;
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto step = *parts[i] - *parts[i - 1];
        if (step < -kGivenBack * growth) return 0;
        if (step >= kRise * growth) ++rises;
    }
    return from_one_step || rises >= kLeastRises ? growth : 0;
}

// What a program had that is not among the largest: nothing where all have a row, else no more than
// the smallest of them.
UsageTotal missing_from(const std::vector<UsageTotal>& programs) {
    UsageTotal out;
    if (programs.size() < 2 || programs.back().name != kOtherNames) return out;
    out.bytes = programs[programs.size() - 2].bytes;
    return out;
}

UsageTotal usage_in(const std::vector<UsageTotal>& programs, const std::string& name) {
    const auto found = std::find_if(programs.begin(), programs.end(),
                                    [&](const auto& one) { return one.name == name; });
    return found == programs.end() ? missing_from(programs) : *found;
}

std::uint64_t whole(double value) {
    return static_cast<std::uint64_t>(std::max(value, 0.0));
}

}  // namespace

std::string ProgramGrowth::sentence() const {
    auto out =
        fmt::format("{}'s segments grew by {} in {}, from {} to {}", program, format_size(bytes),
                    format_duration(seconds * 1000), format_size(before), format_size(after));
    if (left_over > 0)
        out += fmt::format("; {} {} left over ({})", left_over, left_over == 1 ? "is" : "are",
                           format_size(bytes_left));
    return out;
}

void GrowthWatch::add(const HostTotals& totals) {
    const auto at = totals.time.micros;
    // The last survey of a minute counts.
    const auto minute = begin_of(at, kHostResolutions.front());
    while (!minutes_.empty() && minutes_.back().time >= minute) minutes_.pop_back();
    minutes_.push_back({at, totals.of(TotalsBy::program)});
    while (minutes_.front().time <= at - kLongest * kMicrosPerSecond) minutes_.pop_front();
}

std::vector<ProgramGrowth> GrowthWatch::growing() const {
    std::vector<ProgramGrowth> out;
    if (minutes_.empty()) return out;
    const auto end = minutes_.back().time;
    for (const auto& last : minutes_.back().programs) {
        if (last.name == kOtherNames || last.name == kNotTold) continue;
        ProgramGrowth most;
        for (const auto window : kWindows) {
            Parts bytes, left;
            const auto part = window * kMicrosPerSecond / static_cast<std::int64_t>(kParts);
            for (auto minute = minutes_.rbegin(); minute != minutes_.rend(); ++minute) {
                const auto age = (end - minute->time) / part;
                if (age >= static_cast<std::int64_t>(kParts)) break;
                const auto usage = usage_in(minute->programs, last.name);
                const auto index = kParts - 1 - static_cast<std::size_t>(age);
                take(bytes[index], usage.bytes);
                take(left[index], usage.left_bytes);
            }
            const auto growth = std::max(growth_of(bytes, false),
                                         std::min(growth_of(bytes, true), growth_of(left, true)));
            if (growth <= static_cast<double>(most.bytes)) continue;
            most = {
                last.name,
                whole(growth),
                window,
                whole(*bytes.front()),
                whole(*bytes.back()),
                whole(last.left_segments),
                whole(last.left_bytes),
            };
        }
        if (most.bytes > 0) out.push_back(std::move(most));
    }
    std::sort(out.begin(), out.end(),
              [](const auto& left, const auto& right) { return left.bytes > right.bytes; });
    return out;
}

}  // namespace snakepit::shm
