// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "layout/ownership.h"
#include "memory/arena.h"
#include "memory/backing.h"
#include "platform/backend.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// A part of an arena that belongs to one region.
struct Slice {
    std::shared_ptr<Arena> arena;
    Range range;
};

// Work on the pages of a range before it is allocated, or while it is free. The range is not in its
// arena's free runs meanwhile, so nothing else uses it.
struct PageWork {
    std::shared_ptr<Arena> arena;
    Range range;
    std::vector<Range> reserve, zero, discard;
    bool of_clients = false;  // what is discarded

    bool nothing() const { return reserve.empty() && zero.empty() && discard.empty(); }
    std::uint64_t bytes() const;
};

struct ArenaReport {
    std::string name;
    std::uint32_t tenant = 0;
    std::uint64_t size = 0;  // bytes, as the following
    std::uint64_t used = 0;
    std::uint64_t high_water = 0;    // everything after it is free
    std::uint64_t largest_free = 0;  // contiguous
    std::uint64_t reserved = 0;      // backed by memory
    std::uint64_t dirty = 0;         // to be zeroed before it is used again
};

// The arenas of all tenants. A tenant is a user: an arena never holds regions of two users, so that
// mapping it reveals nothing that a policy would refuse. Service thread only, except perform().
class ArenaPool {
  public:
    struct Extent {                                  // of all arenas together, bytes
        std::uint64_t size = 0, used = 0, span = 0;  // span: up to the end of the last region
    };
    ArenaPool(RegionRegistry& registry, PlatformBackend& backend)
        : registry_(registry), backend_(backend) {}

    AllocationStrategy strategy = AllocationStrategy::best_fit;
    bool huge_pages = false;
    // Size of a tenant's first arena in bytes; half of it is kept reserved after the last region.
    std::uint64_t first_arena = 64ULL << 20;
    Backing backing = Backing::posix;  // of new arenas

    static constexpr std::uint64_t kLargestSlice = 64ULL << 20;  // larger regions are dedicated

    // ---- slices
    // Allocates `size` bytes, rounded up to pages, in one of the tenant's arenas or a new one. The
    // pages may still need work. Fails if no arena can be created or mapped.
    Result<Slice> allocate(std::uint32_t tenant, std::uint64_t size);
    // `touched`: a process may have written to it.
    void free(const Slice& slice, bool touched);
    // Call performed() once for each work, whether it succeeded or not: its dirty pages belong to
    // it until then.
    PageWork work_for(const Slice& slice) const;
    // Any thread. Reserves, zeroes or discards pages; on failure it releases what it reserved.
    Status perform(const PageWork& work) const;
    // Updates the bookkeeping after perform().
    void performed(const PageWork& work, bool done);
    // ---- slices whose pages a client takes itself, so that its control group is charged for them
    // (arena_pool_hollow.cpp)
    // Gives back what memory the slice has: it is zero, and the client that has the arena mapped
    // takes the pages before it uses them.
    Status hollow(const Slice& slice);
    // From now on anybody may use it: reserves the pages that the client did not take.
    Status fill(const Slice& slice);
    // free() of a slice of which it is not known what pages it has.
    void free_hollow(const Slice& slice);
    // The slice a region lives in.
    Result<Slice> slice_of(const layout::SlotBody& body) const;
    // A descriptor of the arena for a client.
    Result<Handle> handle_for(const Slice& slice, AccessMode access) const;

    // ---- what goes on beside
    // The next piece of background work: dirty pages to zero, then pages to reserve ahead of
    // allocations, then unused memory to return. Call perform() on any thread and
    // finish_background() on this one; one piece at a time.
    std::optional<PageWork> next_background();
    void finish_background(const PageWork& work, bool done);
    // Returns all free memory to the system. Returns the number of bytes.
    std::uint64_t make_room();
    // Removes arenas that have been empty for `grace_ms`.
    void return_empty(std::int64_t at, std::int64_t grace_ms);

    // ---- damage (arena_check.cpp)
    // Checks that the arena's file still has its name, identity and size: two system calls. If that
    // cannot be determined it does not count as a fault; a restored name clears one.
    bool check(const std::shared_ptr<Arena>& arena);
    void check(std::uint64_t arena);  // by id; null if there is none
    void check_all();
    // Arenas that got a fault, or a worse one, since the last call.
    std::vector<std::shared_ptr<Arena>> newly_damaged() {
        return std::exchange(newly_damaged_, {});
    }
    std::vector<std::shared_ptr<Arena>> damaged() const;
    bool damaged(std::uint64_t arena) const;
    // Why the memory of a pooled region is lost; empty: it is intact.
    std::optional<std::string> loss_of(const layout::SlotBody& body) const;

    // ---- defragmentation (see Defragmenter)
    // A slice in a fuller arena of the tenant, or at a lower offset in the same arena. For a region
    // in a damaged arena: any other arena, a new one if necessary.
    std::optional<Slice> better_place(const Slice& slice);
    // The arenas, in the order in which they should be emptied.
    std::vector<std::shared_ptr<Arena>> by_use(std::uint32_t tenant) const;
    std::vector<std::uint32_t> tenants() const;

    // ---- start
    // Adopts the slice of a region that an earlier manager allocated. corruption_detected if its
    // arena was replaced, or if another region overlaps it.
    Status adopt(std::uint32_t tenant, const layout::SlotBody& body);
    // After all regions are adopted: determines the dirty free pages, and removes our arenas that
    // hold no region.
    void adopted();

    // Created by a manager of this registry.
    bool ours(std::uint64_t arena) const {
        return tag_of(arena) == tag_of(tagged(registry_.epoch(), 0));
    }

    std::vector<ArenaReport> report() const;
    Extent extent() const;
    std::uint64_t reserved_bytes() const;
    std::uint64_t dirty_bytes() const;
    std::size_t count() const { return arenas_.size(); }
    // Why huge pages are configured but not used; empty if they are used.
    const std::string& huge_page_problem() const { return huge_page_problem_; }

  private:
    Result<std::shared_ptr<Arena>> make_arena(std::uint32_t tenant, std::uint64_t bytes);
    Result<std::shared_ptr<Arena>> open_arena(std::uint32_t tenant, const layout::SlotBody& body);
    void remove_unknown(const std::string& prefix);
    void try_huge_pages(Arena& arena);
    void remove(const std::shared_ptr<Arena>& arena);
    std::optional<PageWork> reserve_ahead(const std::shared_ptr<Arena>& arena);
    std::optional<PageWork> return_tail(const std::shared_ptr<Arena>& arena);
    Range widened(const Arena& arena, Range range) const;

    RegionRegistry& registry_;
    PlatformBackend& backend_;
    std::unordered_map<std::uint64_t, std::shared_ptr<Arena>> arenas_;  // by id
    std::unordered_map<std::uint32_t, std::vector<std::shared_ptr<Arena>>>
        of_tenant_;  // oldest first
    std::vector<std::shared_ptr<Arena>> newly_damaged_;
    std::string huge_page_problem_ = "not known before an arena is created";
};

}  // namespace snakepit::shm
