// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "registry/region_registry.h"

namespace snakepit::shm {

// A walk over all slots, a part of it in each slice of the service loop.
struct SlotScan {
    std::optional<std::uint32_t> next;  // none: it is over

    void start() {
        if (!next) next = 0;
    }
    // Calls `check` for at most `most` slots in use; true: there are more.
    bool run_slice(const RegionRegistry& registry, std::size_t most,
                   const std::function<void(std::uint32_t)>& check);
};

}  // namespace snakepit::shm
