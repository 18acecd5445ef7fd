// SPDX-License-Identifier: MIT
#include "monitoring/keeper_watch.h"

#include "registry/region_registry.h"

namespace snakepit::shm {

void KeeperWatch::look(PlatformBackend& backend, RegionRegistry& registry) {
    const auto before = std::move(state_);
    state_ = backend.tend_keeper();
    const auto count = static_cast<std::uint32_t>(state_.kept);
    if (!state_.keeper.empty() && state_.keeper != before.keeper)
        registry.record({.kind = EventKind::keeper_found, .count = count, .text = state_.keeper});
    if (state_.problem != before.problem && !state_.problem.empty())
        registry.record({.kind = EventKind::not_kept,
                         .result = ErrorCode::platform_error,
                         .count = static_cast<std::uint32_t>(state_.segments - state_.kept),
                         .text = state_.problem});
}

}  // namespace snakepit::shm
