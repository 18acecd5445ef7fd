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

// On whose behalf a region is made.
struct RegionOwner {
    std::uint64_t serial = 0;  // client; 0: the region belongs to its user
    Credentials credentials;
    std::int64_t start_time = 0;
    std::string process, worker, session;
    Quota quota;            // of its own; where it says nothing the limits do
    bool reserves = false;  // it can reserve the memory of a segment itself
};

// Memory that is being got ready for a region: a slice of an arena, or a segment of its own.
struct PendingAllocation {
    std::uint32_t slot = 0;
    std::uint64_t size = 0;  // bytes asked for; more for an encrypted region (stored_bytes)
    bool durable = false;
    bool sealed = false;
    bool second_name = false;  // of the two a segment of its own can have
    bool by_client = false;    // who asked for it reserves the pages of its segment
    std::uint32_t flags = 0;   // of a new body, beside what place() knows
    // pooled
    Slice slice;
    PageWork work;
    // dedicated
    std::string name;
    Backing backing = Backing::posix;
    Segment segment;

    bool pooled() const { return slice.arena != nullptr; }
    // make() takes memory, so the kernel may end the manager for it.
    bool takes_pages() const { return pooled() ? !work.reserve.empty() : !by_client && !durable; }
    // Long enough to be done on another thread.
    bool slow() const;
};

// What a region of `size` bytes takes in its segment: more than that when it is encrypted.
std::uint64_t stored_bytes(std::uint64_t size, SecurityLevel level);

using SegmentsByName = std::unordered_map<std::string, SegmentInfo>;

// Where a region is, for whoever maps it.
struct Location {
    std::uint64_t arena = 0;         // 0: a segment of its own
    std::uint64_t offset = 0;        // of the region in the segment, bytes
    std::uint64_t segment_size = 0;  // bytes
};

// The specification's Allocator: finds memory for regions and gives it back. A region is pooled (a
// slice of one of its tenant's arenas) when only its user may use it, and has a segment of its own
// otherwise, or when it is large, durable or sealed, or on request.
// The order that survives a kill (a RESERVED slot is undone at start, a LIVE one stands):
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

    // invalid_size, or the limit that `size` more bytes for this owner would break.
    Status check(std::uint64_t size, const RegionOwner& owner) const;

    // ---- a new region
    Result<PendingAllocation> begin(std::uint64_t size, const RegionOptions& options,
                                    const RegionOwner& owner, std::uint64_t request_id);
    // What an earlier try of this client's request made or is making.
    std::optional<std::uint32_t> find_request(std::uint64_t serial, std::uint64_t request_id) const;
    // Before make() where it takes pages: the next manager learns of it if this one ends meanwhile.
    void mark_taking(const PendingAllocation& pending);
    // Before the segment is handed to the client that reserves its pages: the next manager removes
    // it though it is open there.
    void note_segment(const PendingAllocation& pending);
    // Whether a manager ended while it took the pages of a RESERVED slot.
    bool was_taking(std::uint32_t slot) const;
    // Any thread: may take long. After a failure it may be tried again.
    Status make(PendingAllocation& pending) const;
    // Of one whose client reserves the pages: what it is handed, and whether it did.
    Result<Handle> open_unreserved(const PendingAllocation& pending) const;
    Status check_reserved(const PendingAllocation& pending) const;
    // `options.timeout_ms` is a real timeout by now, not kDefaultTimeout. What make() did, or did
    // not do, is put into the books.
    void place(PendingAllocation& pending, const RegionOptions& options);
    // LIVE. The description of a durable region has been saved before.
    void commit(std::uint32_t slot);
    // Undoes begin(), whether make() worked or not.
    void abandon(PendingAllocation& pending, bool made);
    // The same at start, when it is not known what had been made.
    void abandon(std::uint32_t slot);
    // The same, but the slot stays RESERVED and withdrawn, with the event, until it is released.
    void abandon_for_good(std::uint32_t slot, const Event& event);

    // ---- another place for a region
    // A free place that is better than where it is now: its arena is emptier, or its end is reached
    // sooner. not_supported when there is none.
    Result<PendingAllocation> begin_move(std::uint32_t slot);
    // A segment of its own that becomes read-only.
    PendingAllocation begin_seal(std::uint32_t slot);
    // A fresh segment of its own, otherwise as it is.
    PendingAllocation begin_dedicate(std::uint32_t slot);
    // Any thread: copies the region's contents to where make() made room.
    Status copy(const PendingAllocation& from, const PendingAllocation& to) const;
    // What the region has now; for copy(), and to be given back after the move.
    Result<PendingAllocation> current(std::uint32_t slot) const;
    // The body that names the new place; what else it says stays.
    layout::SlotBody moved_body(std::uint32_t slot, const PendingAllocation& pending) const;
    // After the commit of a move: the books, and the old place is given back.
    void moved(PendingAllocation& from, const PendingAllocation& to);
    // Gives back a new place that is not used after all. `made`: make() worked.
    void undo(PendingAllocation& pending, bool made);

    // Segments that were given back and could not be removed. Call now and then.
    void retry_removals();

    // ---- an old region
    // Frees the memory of a FREEING slot and then the slot. When that fails the slot stays FREEING
    // and the error says what a person must do; asking again is safe.
    // `touched`: somebody may have written to it.
    Status release(std::uint32_t slot, const Event& event, bool touched);
    // Zeros, and pages that stay reserved: for a region that is taken away from its holders. Not of
    // a sealed one that the kernel lets nobody write: whoever holds it can read on.
    Status wipe(std::uint32_t slot) const;
    // The kernel lets nobody write to it any more.
    bool immutable(std::uint32_t slot) const {
        const auto& body = registry_.body(slot);
        return body.sealed != 0 && (body.flags & layout::kMemfd) != 0;
    }

    Location locate(std::uint32_t slot) const;
    // Why a segment that is not there is not, for people.
    std::string loss_of(std::uint32_t slot) const;
    // Of what locate() says.
    Result<Handle> open(std::uint32_t slot, AccessMode access) const;
    std::string segment_name_of(std::uint32_t slot) const {
        return segment_name(registry_.instance(), registry_.id(slot), registry_.body(slot));
    }

    // ---- start
    // Puts a region's memory into the books. corruption_detected when it is not as it was made; any
    // other error says what keeps us from it.
    // `segments`: those there are, if they are known; otherwise the system is asked.
    Status adopt(std::uint32_t slot, const SegmentsByName* segments);
    // Counts what the registry holds.
    void recount();

    struct Usage {
        std::uint32_t regions = 0;
        std::uint64_t bytes = 0;  // asked for
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
    std::unordered_set<std::uint32_t> not_adopted_;  // slots whose memory was not as it was made
    std::unordered_map<std::uint32_t, Usage> usage_of_;
    std::vector<std::pair<std::string, FileIdentity>> unremoved_;
};

}  // namespace snakepit::shm
