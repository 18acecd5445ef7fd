// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace snakepit::shm {

// What others do when the RegionLifecycle finds a region held, idle or freed: they are above it, so
// it knows them by this interface only. RegionService hands them over once, in the order in which
// they are asked.
class IdleHandler {
  public:
    // Nobody holds the region. True: it is moving, or has moved; it is evaluated again afterwards.
    virtual bool region_idle(std::uint32_t slot) {
        (void)slot;
        return false;
    }
    // A client holds the region, and it is not withdrawn.
    virtual void region_held(std::uint32_t slot) { (void)slot; }
    // The slot is free; `pooled`: a slice of an arena is too.
    virtual void region_freed(const RegionId& id, bool pooled) {
        (void)id;
        (void)pooled;
    }

  protected:
    ~IdleHandler() = default;
};

}  // namespace snakepit::shm
