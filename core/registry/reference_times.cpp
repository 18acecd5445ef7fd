// SPDX-License-Identifier: MIT
// The times that clients measured for their own work.
#include <algorithm>
#include <array>

#include "platform/fault_guard.h"
#include "registry/reference_counter.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// The maximum per client between two checks. A correct client records far fewer; more are ignored.
constexpr std::uint32_t kMostTimes = 1U << 20;

}  // namespace

struct ReferenceCounter::TimesSeen {
    std::uint32_t samples = 0;
    std::array<std::uint32_t, LeaseTimes::kBuckets> map{}, unmap{};
};

ReferenceCounter::Page::Page() = default;
ReferenceCounter::Page::~Page() = default;

void ReferenceCounter::note_times(std::uint32_t client) {
    auto& page = *pages_[client];
    const FaultGuard guard(page.mapping.data(), page.mapping.size());
    const auto& times = page.lease.times();
    page.times = std::make_unique<TimesSeen>();
    auto& seen = *page.times;
    const auto copy = [](auto& to, const auto& from) {
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i].load(std::memory_order_relaxed);
    };
    seen.samples = times.samples.load(std::memory_order_relaxed);
    copy(seen.map, times.map);
    copy(seen.unmap, times.unmap);
    if (guard.faulted()) mark_hostile(client);
}

void ReferenceCounter::sweep_times(const Timed& timed) {
    for (const auto client : clients()) {
        if (hostile(client)) continue;
        auto& page = *pages_[client];
        const FaultGuard guard(page.mapping.data(), page.mapping.size());
        const auto& times = page.lease.times();
        const auto samples = times.samples.load(std::memory_order_relaxed);
        if (!page.times) {
            if (samples == 0) continue;
            page.times = std::make_unique<TimesSeen>();
        }
        auto& seen = *page.times;
        auto left = std::min(samples - std::exchange(seen.samples, samples), kMostTimes);
        const auto difference = [&](layout::Timed what, auto& before, const auto& now) {
            for (std::uint32_t i = 0; i < LeaseTimes::kBuckets && left > 0; ++i) {
                const auto count = now[i].load(std::memory_order_relaxed);
                const auto more = std::min(count - std::exchange(before[i], count), left);
                left -= more;
                if (more > 0) timed(what, i, more);
            }
        };
        difference(layout::Timed::map, seen.map, times.map);
        difference(layout::Timed::unmap, seen.unmap, times.unmap);
        if (guard.faulted()) mark_hostile(client);
    }
}

}  // namespace snakepit::shm
