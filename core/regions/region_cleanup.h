// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "regions/lock_manager.h"
#include "regions/signal_manager.h"

namespace snakepit::shm {

// Ends of regions that a program or a person asks for, and the way back. Service thread only.
class RegionCleanup : RegionPart {
  public:
    RegionCleanup(ServiceState& state, ClientRegistry& clients, RegionLifecycle& lifecycle,
                  RegionPolicies& policies, LockManager& locks, SignalManager& signals,
                  Refusals& refusals)
        : RegionPart(state),
          cleaner_(state.cleaner),
          clients_(clients),
          lifecycle_(lifecycle),
          policies_(policies),
          locks_(locks),
          signals_(signals),
          refusals_(refusals) {}

    // True: it has ended. False: withdrawn, and ends with its last reference. With `force` the
    // memory of a region that is still held is overwritten with zeros and taken out of circulation.
    Result<bool> deallocate(const Caller& caller, const RegionId& id, bool force);
    // For the configured time so that it can be restored: false. True: none is configured, it has
    // ended. region_in_use when a client holds it.
    Result<bool> quarantine(const Caller& caller, const RegionId& id);
    // QUARANTINED -> LIVE, as if it had just been used. What becomes of it next.
    Result<std::string> restore(const Caller& caller, const RegionId& id);
    // Checks regions from `slot` on until it has `most` items or its time is over; `slot` moves on,
    // and to the frontier at the end. What goes is quarantined if the configuration says so.
    CleanupResult cleanup(const Caller& caller, const CleanupRequest& request, std::uint32_t& slot,
                          std::size_t most);

  private:
    CleanupItem clean(const Caller& caller, std::uint32_t slot, const CleanupRequest& request,
                      std::int64_t at);
    CleanupItem clean_stuck(const Caller& caller, std::uint32_t slot, bool dry_run);
    void carry_out(const Caller& caller, std::uint32_t slot, CleanupItem& item);

    const Cleaner& cleaner_;
    ClientRegistry& clients_;
    RegionLifecycle& lifecycle_;
    RegionPolicies& policies_;
    LockManager& locks_;
    SignalManager& signals_;
    Refusals& refusals_;
};

}  // namespace snakepit::shm
