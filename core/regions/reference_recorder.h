// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "regions/client_registry.h"

namespace snakepit::shm {

// Counts a region's references, and records changes of its holders: one event a region and second
// at most, with what happened in between seen in the next. What was recorded last is in the
// registry, so that the next manager records what this one could not any more.
// Service thread only.
class ReferenceRecorder : RegionPart {
  public:
    ReferenceRecorder(ServiceState& state, const ClientRegistry& clients)
        : RegionPart(state), clients_(clients) {}

    // Counts again; a count that changed, or takes, make `at` (or now) the time of the last access.
    void refresh(std::uint32_t slot, std::uint64_t takes, std::optional<std::int64_t> at);
    // Records what had to wait.
    void record_pending();
    void slot_freed(std::uint32_t slot);

  private:
    struct Slot {
        std::int64_t recorded_at = 0;  // the last event, boot time
        bool pending = false;
    };
    Slot& slot_of(std::uint32_t slot);
    void record(std::uint32_t slot);

    const ClientRegistry& clients_;
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> pending_;
};

}  // namespace snakepit::shm
