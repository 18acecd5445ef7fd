// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "client/connection.h"
#include "client/manager_client.h"
#include "client/region_cache.h"
#include "layout/lease_page.h"

namespace snakepit::shm {

// Memory Mapper: where granted regions are mapped in this process. An arena is mapped once, however
// many regions lie in it. find() and acquire() need no lock; the rest is called with the client's
// mutex.
class Mapper {
  public:
    // `lease`: the client's page; it is mapped by the time anything is granted.
    explicit Mapper(const layout::LeasePage& lease) : lease_(lease) {}

    CachedRegion* find(const RegionId& id) const { return cache_.find(id); }
    // Acquires a reference and returns the region's mapping. If `outcome` is not `acquired`,
    // nothing was acquired and the manager must be asked.
    Result<MappedRegion> acquire(CachedRegion& entry, const RegionId& id, AccessMode access,
                                 layout::LeasePage::Acquire& outcome) const;

    // Whether the next map is timed (LeaseTimes): the first after the manager reset the count of
    // acquisitions, and every 256th from there.
    static bool to_be_timed(const CachedRegion& entry) {
        const auto* acquisitions = entry.acquisitions.load(std::memory_order_relaxed);
        return acquisitions->load(std::memory_order_relaxed) % layout::LeaseTimes::kEvery == 0;
    }

    CachedRegion& at(const RegionId& id) { return cache_.at(id); }
    // The region that was granted with this slot and generation.
    std::optional<RegionId> region_at(std::uint32_t slot, std::uint64_t generation) const;
    // Maps what was granted, unless it is mapped already. Null: a handle is needed, but the answer
    // has none.
    Result<CachedRegion*> install(const Connection::Answer& answer, AccessMode access);
    // The slots that came with a new region, unless its arena is not mapped.
    std::vector<CachedRegion*> install_stash(const wire::GrantedT& granted);
    // A region of the stash is mapped from now on: it is not all zero afterwards.
    Status expose(CachedRegion& entry, AccessMode access);
    // A region that is mapped for writing can be mapped for reading without asking the manager.
    Status add_read_only(CachedRegion& entry);
    // Releases all remaining references, for an orderly disconnect.
    void release_all() const;
    // In a forked child: drops mappings that were not inherited.
    void abandon() { cache_.abandon(); }

    // ---- fork; see Inheritance
    struct Inherited {
        CachedRegion* entry = nullptr;
        RegionId id;
        std::uint32_t slot = 0;
        std::uint64_t generation = 0;
        std::uint64_t references = 0;
        AccessMode access = AccessMode::read_only;
        bool audited = false;
    };
    // The mapped regions, each with one more reference, and with mappings that a child inherits.
    std::vector<Inherited> hold_for_child();
    // The same for those of `among` that are still held.
    std::vector<Inherited> hold_for_child(std::vector<Inherited> among);
    void release_for_child(const std::vector<Inherited>& regions) const;
    static void let_inherit(const std::vector<Inherited>& regions, bool inherit);
    // In a child that has no reference to it: accessing its memory is an error.
    static void forbid(const Inherited& region);
    // In a child: unmaps what it inherited.
    static void drop(const std::vector<Inherited>& regions);

  private:
    struct Place {
        Mapping fresh;                 // a new mapping for this region alone
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
