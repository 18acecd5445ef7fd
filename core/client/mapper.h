// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.h"
#include "client/connection.h"
#include "client/manager_client.h"
#include "client/region_cache.h"
#include "layout/lease_page.h"

namespace snakepit::shm {

// The specification's Memory Mapper: where the regions that were granted lie in this process. An
// arena is mapped once, whatever number of regions lie in it. find() and acquire() need no lock;
// the rest is called with the client's mutex.
class Mapper {
  public:
    // `lease`: the client's page; it is mapped by the time anything is granted.
    explicit Mapper(const layout::LeasePage& lease) : lease_(lease) {}

    CachedRegion* find(const RegionId& id) const { return cache_.find(id); }
    // Takes a reference and says where the region is. `outcome` other than `acquired`: nothing was
    // taken, and the manager has to be asked.
    Result<MappedRegion> acquire(CachedRegion& entry, const RegionId& id, AccessMode access,
                                 layout::LeasePage::Acquire& outcome) const;

    // The next map of it is one of those that are timed (LeaseTimes): the first after the manager
    // took the count of takes, and every 256th from there.
    static bool to_be_timed(const CachedRegion& entry) {
        const auto* acquisitions = entry.acquisitions.load(std::memory_order_relaxed);
        return acquisitions->load(std::memory_order_relaxed) % layout::LeaseTimes::kEvery == 0;
    }

    CachedRegion& at(const RegionId& id) { return cache_.at(id); }
    // Maps what was granted, if it is not mapped so already. Null: the answer brought no handle,
    // and one is needed.
    Result<CachedRegion*> install(const Connection::Answer& answer, AccessMode access);
    // A region that is mapped for writing can be mapped for reading without asking.
    Status add_read_only(CachedRegion& entry);
    // Every reference there still is: a client that leaves in good order, and did not die.
    void release_all() const;
    // In a forked child: forgets the mappings, which it never got.
    void abandon() { cache_.abandon(); }

  private:
    struct Place {
        Mapping fresh;                 // made for this region alone, just now
        CachedArena* arena = nullptr;  // or the arena it lies in
        std::byte* data = nullptr;
    };
    Result<Place> place_of(const wire::GrantedT& granted, const Handle& handle, AccessMode access);
    Result<Mapping> map_segment(const Handle& handle, std::uint64_t offset, std::uint64_t size,
                                AccessMode access);
    static void forget_place(CachedRegion& entry);

    const layout::LeasePage& lease_;
    RegionCache cache_;
};

}  // namespace snakepit::shm
