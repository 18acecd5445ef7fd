// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "regions/lock_manager.h"
#include "regions/region_allocation.h"
#include "regions/signal_manager.h"

namespace snakepit::shm {

// What the end of a client means: its locks, its references, its requests and the regions it owned.
// It costs what the client held. Service thread only.
class ClientReaper : RegionPart {
  public:
    ClientReaper(ServiceState& state, ClientRegistry& clients, RegionLifecycle& lifecycle,
                 AccessAudit& audit, RegionPolicies& policies, RegionDirectory& directory,
                 LockManager& locks, SignalManager& signals, RegionAllocation& allocation,
                 RegionStash& stash)
        : RegionPart(state),
          clients_(clients),
          lifecycle_(lifecycle),
          audit_(audit),
          policies_(policies),
          directory_(directory),
          locks_(locks),
          signals_(signals),
          allocation_(allocation),
          stash_(stash) {}

    // Checks with the kernel; true when the client had ended and all of it has been dropped.
    bool reap_if_dead(std::uint32_t client);
    // All but the regions.
    ReferenceCounter::ClientHoldings drop(std::uint32_t client);

  private:
    ClientRegistry& clients_;
    RegionLifecycle& lifecycle_;
    AccessAudit& audit_;
    RegionPolicies& policies_;
    RegionDirectory& directory_;
    LockManager& locks_;
    SignalManager& signals_;
    RegionAllocation& allocation_;
    RegionStash& stash_;
};

}  // namespace snakepit::shm
