// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include "layout/histogram.h"
#include "platform/backend.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// The Performance Monitor: one sample of all metrics a second, in a ring that any reader of the
// registry can map. Service thread.
class PerformanceMonitor {
  public:
    PerformanceMonitor(RegionRegistry& registry, PlatformBackend& backend)
        : registry_(registry), backend_(backend) {}

    static constexpr std::uint64_t kWindow = 10;  // seconds that percentiles are of

    // Adds time, events, the file system's room and the last ten seconds' percentiles to `counts`
    // and publishes it. Once a second.
    const layout::Sample& sample(layout::Sample counts);
    const layout::Sample& last() const { return last_; }  // all zero: none yet
    // How operations went in the ten seconds before the last sample.
    layout::Histogram recent(layout::Timed what) const;

  private:
    using Snapshot = std::array<layout::Histogram, layout::kTimed>;
    void take_snapshot();

    RegionRegistry& registry_;
    PlatformBackend& backend_;
    layout::Sample last_{};
    // One a second, the oldest overwritten: the newest is what is, the oldest what was.
    std::array<Snapshot, kWindow + 1> snapshots_{};
    std::uint64_t taken_ = 0;
};

}  // namespace snakepit::shm
