// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "platform/backend.h"

namespace snakepit::shm {

class RegionRegistry;

// Looks after who keeps the memory that has no name, and records what becomes of it.
// RegionService thread only.
class KeeperWatch {
  public:
    // About once a second.
    void look(PlatformBackend& backend, RegionRegistry& registry);
    const Keeping& state() const { return state_; }

  private:
    Keeping state_;
};

}  // namespace snakepit::shm
