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

// A part of an arena that is nobody else's.
struct Slice {
    std::shared_ptr<Arena> arena;
    Range range;
};

// What has to be done to the pages of a range before it is handed out, or while it is free. The
// range is out of its arena's free runs meanwhile, so that nobody else touches it.
struct PageWork {
    std::shared_ptr<Arena> arena;
    Range range;
    std::vector<Range> reserve, zero, discard;

    bool nothing() const { return reserve.empty() && zero.empty() && discard.empty(); }
    std::uint64_t bytes() const;
};

struct ArenaReport {
    std::string name;
    std::uint32_t tenant = 0;
    std::uint64_t size = 0;  // bytes, as the following
    std::uint64_t used = 0;
    std::uint64_t high_water = 0;    // everything behind it is free
    std::uint64_t largest_free = 0;  // in one piece
    std::uint64_t reserved = 0;      // with memory behind it
    std::uint64_t dirty = 0;         // to be zeroed before it is used again
};

// The arenas of all tenants. A tenant is a user: arenas never hold regions of two, so that mapping
// one reveals nothing that a policy would refuse.
// Service thread only, except perform().
class ArenaPool {
  public:
    struct Extent {                                  // of all arenas together, bytes
        std::uint64_t size = 0, used = 0, span = 0;  // span: up to the end of the last region
    };
    ArenaPool(RegionRegistry& registry, PlatformBackend& backend)
        : registry_(registry), backend_(backend) {}

    AllocationStrategy strategy = AllocationStrategy::best_fit;
    bool huge_pages = false;
    // Of a tenant's first arena, bytes; half of it is kept ready behind the last region.
    std::uint64_t first_arena = 64ULL << 20;
    Backing backing = Backing::posix;  // of arenas made from now on

    static constexpr std::uint64_t kLargestSlice = 64ULL << 20;  // larger regions are dedicated

    // ---- slices
    // `size` bytes, rounded up to pages, in one of the tenant's arenas or a new one. The pages may
    // still need work. Fails when no arena can be made or mapped.
    Result<Slice> allocate(std::uint32_t tenant, std::uint64_t size);
    // `touched`: somebody may have written to it.
    void free(const Slice& slice, bool touched);
    // Each work is performed() once, done or not: dirty pages are its alone until then.
    PageWork work_for(const Slice& slice) const;
    // Any thread. Reserves, zeroes, gives back; on failure what it reserved is given back.
    Status perform(const PageWork& work) const;
    // Afterwards: keeps the books.
    void performed(const PageWork& work, bool done);
    // The slice a region lives in.
    Result<Slice> slice_of(const layout::SlotBody& body) const;
    // To be handed to a client: a descriptor of the arena.
    Result<Handle> handle_for(const Slice& slice, AccessMode access) const;

    // ---- what goes on beside
    // The next piece of background work: dirty pages to be zeroed, then pages to be reserved ahead
    // of the allocations that will want them, then memory nobody uses to be returned. perform() it
    // anywhere and finish_background() it here; one at a time.
    std::optional<PageWork> next_background();
    void finish_background(const PageWork& work, bool done);
    // Gives the memory of everything that is free back to the system. Bytes given back.
    std::uint64_t make_room();
    // Removes arenas that have been empty for `grace_ms`.
    void return_empty(std::int64_t at, std::int64_t grace_ms);

    // ---- damage (arena_check.cpp)
    // Whether the arena's file is still the one that was made, under its name and as long as it
    // was: two system calls. What cannot be found out is no fault; a name that came back mends one.
    bool check(const std::shared_ptr<Arena>& arena);
    void check(std::uint64_t arena);  // by id; nothing if there is none
    void check_all();
    // Those with a fault, or more of one, since the last call.
    std::vector<std::shared_ptr<Arena>> newly_damaged() {
        return std::exchange(newly_damaged_, {});
    }
    std::vector<std::shared_ptr<Arena>> damaged() const;
    bool damaged(std::uint64_t arena) const;
    // Why the memory of a pooled region is gone; nothing: it is all there.
    std::optional<std::string> loss_of(const layout::SlotBody& body) const;

    // ---- defragmentation (see Defragmenter)
    // Room in another arena of the tenant than the emptiest, or further down in the same. Out of a
    // damaged one: anywhere else, in a new arena if need be.
    std::optional<Slice> better_place(const Slice& slice);
    // The arenas, the ones to be emptied first.
    std::vector<std::shared_ptr<Arena>> by_use(std::uint32_t tenant) const;
    std::vector<std::uint32_t> tenants() const;

    // ---- start
    // Puts the slice of a region that an earlier manager made back where it was.
    // corruption_detected when its arena is not the one that was made, or another region is there.
    Status adopt(std::uint32_t tenant, const layout::SlotBody& body);
    // After all are adopted: finds out which free pages are dirty, and removes arenas of ours in
    // which no region was left.
    void adopted();

    // Made by a manager of this registry.
    bool ours(std::uint64_t arena) const {
        return tag_of(arena) == tag_of(tagged(registry_.epoch(), 0));
    }

    std::vector<ArenaReport> report() const;
    Extent extent() const;
    std::uint64_t reserved_bytes() const;
    std::uint64_t dirty_bytes() const;
    std::size_t count() const { return arenas_.size(); }
    // Why huge pages are not used when they are wanted; empty when they are.
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
    std::string huge_page_problem_ = "whether the system has them shows when an arena is made";
};

}  // namespace snakepit::shm
