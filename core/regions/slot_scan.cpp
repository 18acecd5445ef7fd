// SPDX-License-Identifier: MIT
#include "regions/slot_scan.h"

#include <algorithm>

#include "regions/time_budget.h"

namespace snakepit::shm {

namespace {

constexpr std::uint32_t kSlotsPerSlice = 50'000;  // in use or not

}  // namespace

bool SlotScan::run_slice(const RegionRegistry& registry, std::size_t most,
                         const std::function<void(std::uint32_t)>& check) {
    if (!next) return false;
    TimeBudget budget(most);
    const auto end =
        std::min<std::uint64_t>(registry.frontier(), std::uint64_t{*next} + kSlotsPerSlice);
    for (; *next < end; ++*next) {
        if (registry.control(*next).state == layout::SlotState::free) continue;
        if (!budget.spend()) return true;
        check(*next);
    }
    if (*next < registry.frontier()) return true;
    next.reset();
    return false;
}

}  // namespace snakepit::shm
