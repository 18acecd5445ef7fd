// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "regions/region_policies.h"
#include "regions/region_stash.h"

namespace snakepit::shm {

// What a client needs to map a region.
struct Grant {
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    RegionId id;
    std::uint64_t size = 0;
    std::uint64_t arena = 0;  // 0: it has a segment of its own
    std::uint64_t offset = 0;
    std::uint64_t segment_size = 0;
    AccessMode access = AccessMode::read_only;
    bool tell_release = false;  // the region may end with this client's last reference
    bool audited = false;       // the grant ends with it
    // Invalid for a caller without a lease page, and for one that was handed the arena before.
    Handle handle;
    SecurityLevel level = SecurityLevel::standard;
    // Nothing is granted yet: the client reserves the memory of the segment first.
    bool reserve = false;
    bool created = false;            // the region is this request's own
    std::vector<StashedSlot> stash;  // for the next ones like it
    bool stash_hollow = false;       // the client takes their pages before it uses them
};

// Shows regions to those who may know of them, and lets clients map them. Service thread only.
class RegionDirectory : RegionPart {
  public:
    RegionDirectory(ServiceState& state, ClientRegistry& clients, RegionLifecycle& lifecycle,
                    IntegrityCheck& integrity, AccessAudit& audit, RegionPolicies& policies,
                    Refusals& refusals)
        : RegionPart(state),
          clients_(clients),
          lifecycle_(lifecycle),
          integrity_(integrity),
          audit_(audit),
          policies_(policies),
          refusals_(refusals) {}

    RegionInfo describe(std::uint32_t slot);
    Result<RegionInfo> info(const Caller& caller, const RegionId& id);
    // The region with this name of the caller or, as USER/NAME, of another user. region_not_found
    // also for what the caller may not see, so that names cannot be guessed.
    Result<RegionId> resolve(const Caller& caller, const std::string& word);
    // Up to `bytes` worth of regions from `slot` on; `slot` moves on, and to the frontier at the
    // end.
    Result<std::vector<RegionInfo>> list(const Caller& caller, std::string_view filter,
                                         std::uint32_t& slot, std::size_t bytes);

    // `handle`: with the segment's handle also if the caller was handed it before.
    Result<Grant> map(const Caller& caller, const RegionId& id, AccessMode access, bool handle);
    // Usable, and neither withdrawn nor damaged nor read-only where the caller would write.
    Result<std::uint32_t> openable(const Caller& caller, const RegionId& id, AccessMode access);
    // Without any check. A client maps an arena once: it gets the handle with its first region
    // there, or with `handle`.
    Result<Grant> issue(const Caller& caller, std::uint32_t slot, AccessMode access, bool handle);
    // The client ended, or may have lost what it was handed.
    void forget(std::uint64_t serial) { handed_.erase(serial); }

  private:
    ClientRegistry& clients_;
    RegionLifecycle& lifecycle_;
    IntegrityCheck& integrity_;
    AccessAudit& audit_;
    RegionPolicies& policies_;
    Refusals& refusals_;
    // By client's serial: the arenas, with the way to use them, that it was handed.
    std::unordered_map<std::uint64_t, std::set<std::pair<std::uint64_t, AccessMode>>> handed_;
};

}  // namespace snakepit::shm
