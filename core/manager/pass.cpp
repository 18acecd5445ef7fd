// SPDX-License-Identifier: MIT
#include "manager/pass.h"

#include <algorithm>

#include "manager/turn.h"

namespace snakepit::shm {

namespace {

constexpr std::uint32_t kSlotsATurn = 50'000;  // in use or not

}  // namespace

bool Pass::go_on(const RegionRegistry& registry, std::size_t most,
                 const std::function<void(std::uint32_t)>& look) {
    if (!next) return false;
    Turn turn(most);
    const auto end =
        std::min<std::uint64_t>(registry.frontier(), std::uint64_t{*next} + kSlotsATurn);
    for (; *next < end; ++*next) {
        if (registry.control(*next).state == layout::SlotState::free) continue;
        if (!turn.take()) return true;
        look(*next);
    }
    if (*next < registry.frontier()) return true;
    next.reset();
    return false;
}

}  // namespace snakepit::shm
