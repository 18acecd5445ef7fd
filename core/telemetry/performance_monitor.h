// SPDX-License-Identifier: MIT
#pragma once

#include "platform/backend.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// The specification's Performance Monitor: one sample a second of everything worth drawing, in a
// ring that any reader of the registry can map.
class PerformanceMonitor {
  public:
    PerformanceMonitor(RegionRegistry& registry, PlatformBackend& backend)
        : registry_(registry), backend_(backend) {}

    // Service thread. Adds time, events and the file system's room to `counts` and publishes it.
    void sample(layout::Sample counts, std::uint64_t recorder_lag);

  private:
    RegionRegistry& registry_;
    PlatformBackend& backend_;
};

}  // namespace snakepit::shm
