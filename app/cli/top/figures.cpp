// SPDX-License-Identifier: MIT
#include "top/figures.h"

#include <algorithm>

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kMinute = 60;  // samples
constexpr std::int64_t kRateMicros = 10'000'000;
constexpr double kNearlyFull = 0.80, kFull = 0.92;  // shares of the whole

}  // namespace

void Figures::take(const std::vector<layout::Sample>& samples) {
    samples_.insert(samples_.end(), samples.begin(), samples.end());
    if (samples_.size() > kMinute)
        samples_.erase(samples_.begin(), samples_.end() - static_cast<std::ptrdiff_t>(kMinute));
}

std::optional<Rates> Figures::rates() const {
    if (samples_.size() < 2) return std::nullopt;
    const auto& last = samples_.back();
    auto first = samples_.size() - 1;
    while (first > 0) {
        const auto& before = samples_[first - 1];
        const auto& after = samples_[first];
        // The counters start again with each manager.
        const bool another = before.allocations > after.allocations ||
                             before.deallocations > after.deallocations ||
                             before.errors > after.errors || before.takes > after.takes;
        if (another || last.time - before.time > kRateMicros) break;
        --first;
    }
    const auto& start = samples_[first];
    const auto seconds = static_cast<double>(last.time - start.time) / 1e6;
    if (seconds <= 0) return std::nullopt;
    const auto rate = [seconds](std::uint64_t from, std::uint64_t to) {
        return static_cast<double>(to - from) / seconds;
    };
    return Rates{rate(start.allocations, last.allocations),
                 rate(start.deallocations, last.deallocations), rate(start.errors, last.errors),
                 rate(start.takes, last.takes)};
}

Fullness fullness(const layout::Sample& sample) {
    if (sample.shm_total == 0) return Fullness::fine;
    const auto taken =
        1.0 - static_cast<double>(sample.shm_free) / static_cast<double>(sample.shm_total);
    if (taken >= kFull) return Fullness::full;
    return taken >= kNearlyFull ? Fullness::nearly : Fullness::fine;
}

}  // namespace snakepit::shm::cli
