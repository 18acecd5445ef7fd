// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>

#include "regions/client_reaper.h"

namespace snakepit::shm {

// What a new manager does with what the last one left: adopts clients that live and regions that
// stand, finishes or undoes what the last one was killed in. Every step can be cut off and run
// again. Service thread only.
class Recovery : RegionPart {
  public:
    Recovery(ServiceState& state, ClientRegistry& clients, IntegrityCheck& integrity,
             RegionLifecycle& lifecycle, RegionPolicies& policies, LockManager& locks,
             RegionAllocation& allocation, ClientReaper& reaper, RegionStash& stash)
        : RegionPart(state),
          clients_(clients),
          integrity_(integrity),
          lifecycle_(lifecycle),
          policies_(policies),
          locks_(locks),
          allocation_(allocation),
          reaper_(reaper),
          stash_(stash) {}

    // An error, with nothing changed that counts, when memory that exists cannot be mapped: no
    // descriptors, no address space.
    Status run();

  private:
    void recover_clients();
    std::optional<SegmentsByName> list_segments() const;
    void recover_slot(std::uint32_t slot, const std::optional<SegmentsByName>& segments,
                      std::uint64_t takes, std::int64_t at);
    // recovery_segments.cpp
    void adopt_durable();
    void remove_stale_segments(const SegmentsByName& segments);

    ClientRegistry& clients_;
    IntegrityCheck& integrity_;
    RegionLifecycle& lifecycle_;
    RegionPolicies& policies_;
    LockManager& locks_;
    RegionAllocation& allocation_;
    ClientReaper& reaper_;
    RegionStash& stash_;
    std::optional<Error> problem_;
};

}  // namespace snakepit::shm
