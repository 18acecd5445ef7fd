// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/policy.h"
#include "base/region.h"
#include "base/result.h"
#include "layout/registry_reader.h"
#include "memory/arena_pool.h"
#include "memory/durable_store.h"
#include "platform/backend.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// Zero where the configuration sets no limit.
struct AllocationLimits {
    std::uint32_t max_regions = 0;
    std::uint64_t max_region_size = 0;
    std::uint64_t max_total_memory = 0;
    std::uint32_t max_regions_per_process = 0;
    std::uint32_t max_regions_per_user = 0;
    std::uint64_t max_memory_per_user = 0;
};

// The owner of a new region.
struct RegionOwner {
    std::uint64_t serial = 0;  // client; 0: the region belongs to its user
    Credentials credentials;
    std::int64_t start_time = 0;
    std::string process, worker, session;
    Quota quota;            // its own quota; otherwise the limits apply
    bool reserves = false;  // it can reserve the memory of a segment itself
};

// Memory being prepared for a region: a slice of an arena, or a dedicated segment.
struct PendingAllocation {
    std::uint32_t slot = 0;
    std::uint64_t size = 0;  // requested bytes; more for an encrypted region (stored_bytes)
    bool durable = false;
    bool sealed = false;
    bool second_name = false;  // of the two names of a dedicated segment
    bool by_client = false;    // the client reserves the pages of its segment, or of its slice
    std::uint32_t flags = 0;   // of a new body, in addition to those that place() sets
    // pooled
    Slice slice;
    PageWork work;
    // dedicated
    std::string name;
    Backing backing = Backing::posix;
    Segment segment;

    bool pooled() const { return slice.arena != nullptr; }
    // make() allocates memory, so the kernel may kill the manager for it.
    bool takes_pages() const { return pooled() ? !work.reserve.empty() : !by_client && !durable; }
    // Slow enough to be done on another thread.
    bool slow() const;
};

// The bytes that a region of `size` bytes needs in its segment: more than `size` if it is
// encrypted.
std::uint64_t stored_bytes(std::uint64_t size, SecurityLevel level);

using SegmentsByName = std::unordered_map<std::string, SegmentInfo>;

// The location of a region, for mapping it.
struct Location {
    std::uint64_t arena = 0;         // 0: a dedicated segment
    std::uint64_t offset = 0;        // of the region in the segment, bytes
    std::uint64_t segment_size = 0;  // bytes
};

// Allocator: allocates and frees the memory of regions. A region is pooled (a slice of one of its
// tenant's arenas) if only its user may use it. Otherwise, or if it is large, durable or sealed, or
// on request, it has a dedicated segment. The order that survives a kill (a RESERVED slot is undone
// at start, a LIVE one stands):
//   begin: RESERVED, described, its place chosen  ->  make: the pages  ->  place: the body
//   ->  (the caller grants)  ->  commit.
// Service thread only, except make() and copy().
class Allocator {
  public:
    Allocator(RegionRegistry& registry, PlatformBackend& backend, std::string durable_directory)
        : pool(registry, backend),
          durable(std::move(durable_directory)),
          registry_(registry),
          backend_(backend) {}

    AllocationLimits limits;
    BackingChoice backing = BackingChoice::automatic;
    ArenaPool pool;
    DurableStore durable;

    // invalid_size, or the limit that `size` more bytes for this owner would exceed.
    Status check(std::uint64_t size, const RegionOwner& owner) const;

    // ---- a new region
    Result<PendingAllocation> begin(std::uint64_t size, const RegionOptions& options,
                                    const RegionOwner& owner, std::uint64_t request_id);
    // The region that an earlier attempt of this client's request allocated or is allocating.
    std::optional<std::uint32_t> find_request(std::uint64_t serial, std::uint64_t request_id) const;
    // Call before make() if it allocates pages: the next manager detects it if this one is killed
    // meanwhile.
    void mark_taking(const PendingAllocation& pending);
    // Call before the segment is sent to a client that reserves its pages: the next manager then
    // removes it although the client has it open.
    void note_segment(const PendingAllocation& pending);
    // Whether a manager was killed while it allocated the pages of a RESERVED slot.
    bool was_taking(std::uint32_t slot) const;
    // Any thread; may be slow. Can be repeated after a failure.
    Status make(PendingAllocation& pending) const;
    // For a segment whose client reserves the pages: its descriptor, and whether the client
    // reserved them.
    Result<Handle> open_unreserved(const PendingAllocation& pending) const;
    Status check_reserved(const PendingAllocation& pending) const;
    // In place of make(), for a slice whose pages the client takes itself.
    Status hollow(PendingAllocation& pending);
    // Such a slice is about to be used by others, too: it has all its memory, and its canary.
    Status fill_stashed(std::uint32_t slot);
    // `options.timeout_ms` must be resolved, not kDefaultTimeout. Records the result of make().
    void place(PendingAllocation& pending, const RegionOptions& options);
    // LIVE. The description of a durable region has been saved before.
    void commit(std::uint32_t slot);
    // Undoes begin(), whether make() succeeded or not.
    void abandon(PendingAllocation& pending, bool made);
    // The same at start, when it is not known what had been allocated.
    void abandon(std::uint32_t slot);
    // What is in no use of a client's stash. Before the pool has adopted its arenas: abandon().
    void release_stashed(std::uint32_t slot);
    // Bytes and regions that the limits allow this owner in addition.
    struct Headroom {
        std::uint64_t bytes = 0, regions = 0;
    };
    Headroom headroom(const RegionOwner& owner) const;
    // The same, but the slot stays RESERVED and withdrawn, with the event, until it is released.
    void abandon_for_good(std::uint32_t slot, const Event& event);

    // ---- another place for a region
    // Reserves a better place than the current one: in a fuller arena, or at a lower offset.
    // not_supported if there is none.
    Result<PendingAllocation> begin_move(std::uint32_t slot);
    // A dedicated segment that becomes read-only.
    PendingAllocation begin_seal(std::uint32_t slot);
    // A new dedicated segment, otherwise unchanged.
    PendingAllocation begin_dedicate(std::uint32_t slot);
    // Any thread: copies the region's contents to the memory that make() prepared.
    Status copy(const PendingAllocation& from, const PendingAllocation& to) const;
    // The region's current memory; for copy(), and to be freed after the move.
    Result<PendingAllocation> current(std::uint32_t slot) const;
    // The body with the new place; everything else is unchanged.
    layout::SlotBody moved_body(std::uint32_t slot, const PendingAllocation& pending) const;
    // After the commit of a move: updates the bookkeeping and frees the old place.
    void moved(PendingAllocation& from, const PendingAllocation& to);
    // Frees a new place that is not used. `made`: make() succeeded.
    void undo(PendingAllocation& pending, bool made);

    // Retries removing freed segments that could not be removed. Call periodically.
    void retry_removals();

    // ---- an old region
    // Frees the memory of a FREEING slot and then the slot. If that fails, the slot stays FREEING
    // and the error has a remedy; the call can be repeated. `touched`: a process may have written
    // to the memory.
    Status release(std::uint32_t slot, const Event& event, bool touched);
    // Overwrites a revoked region with zeros; its pages stay reserved. Not possible for a sealed
    // region, which the kernel makes read-only for all: its holders can continue to read it.
    Status wipe(std::uint32_t slot) const;
    // The kernel does not allow any process to write to it.
    bool immutable(std::uint32_t slot) const {
        const auto& body = registry_.body(slot);
        return body.sealed != 0 && (body.flags & layout::kMemfd) != 0;
    }

    Location locate(std::uint32_t slot) const;
    // Explains why a segment is missing.
    std::string loss_of(std::uint32_t slot) const;
    // The same for a result of locate().
    Result<Handle> open(std::uint32_t slot, AccessMode access) const;
    std::string segment_name_of(std::uint32_t slot) const {
        return segment_name(registry_.instance(), registry_.id(slot), registry_.body(slot));
    }

    // ---- start
    // Adopts a region's memory. corruption_detected if it was changed since it was allocated; other
    // errors say why it cannot be checked. `segments`: all existing segments, if known; otherwise
    // the system is queried.
    Status adopt(std::uint32_t slot, const SegmentsByName* segments);
    // Counts the regions of the registry.
    void recount();

    struct Usage {
        std::uint32_t regions = 0;
        std::uint64_t bytes = 0;  // requested
    };
    // By owner's uid.
    const std::unordered_map<std::uint32_t, Usage>& usage() const { return usage_of_; }
    std::uint64_t bytes_used() const { return bytes_used_; }
    std::uint64_t bytes_reserved() const { return bytes_dedicated_ + pool.reserved_bytes(); }

  private:
    bool poolable(std::uint64_t size, const RegionOptions& options) const;
    void choose_segment(PendingAllocation& pending, const RegionOptions& options) const;
    Status choose_place(PendingAllocation& pending, const RegionOptions& options,
                        std::uint32_t tenant);
    static layout::SlotBody located(layout::SlotBody body, const PendingAllocation& pending);
    void count(const layout::SlotFixed& fixed);
    std::uint64_t stored_bytes_of(std::uint32_t slot) const;
    void forget(std::uint32_t slot);
    void remove_unfinished(std::uint32_t slot);
    void remove(std::uint32_t slot, const std::string& name, const FileIdentity& identity);
    Status check_user(std::uint64_t size, const RegionOwner& owner) const;
    PendingAllocation begin_segment(std::uint32_t slot, const layout::SlotBody& as);

    RegionRegistry& registry_;
    PlatformBackend& backend_;
    std::uint64_t bytes_used_ = 0;
    std::uint64_t bytes_dedicated_ = 0;
    std::unordered_map<std::uint64_t, std::uint32_t> regions_of_;  // by owner serial
    std::unordered_set<std::uint32_t>
        not_adopted_;  // slots whose memory was changed since it was allocated
    std::unordered_map<std::uint32_t, Usage> usage_of_;
    std::vector<std::pair<std::string, FileIdentity>> unremoved_;
};

}  // namespace snakepit::shm
