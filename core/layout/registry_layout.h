// SPDX-License-Identifier: MIT
// The registry file: one writer (the manager), any number of readers that map it read-only. Sizes
// and offsets are frozen with kVersion; every time is microseconds since 1970 UTC. Times used for
// decisions are of the instance's clock (RegistryState), all others of the wall clock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "layout/histogram.h"
#include "layout/words.h"

namespace snakepit::shm::layout {

inline constexpr std::uint64_t kRegistryMagic = 0x31474552'4D485353ULL;  // "SSHMREG1"
inline constexpr std::uint32_t kVersion = 5;

inline constexpr std::uint32_t kMaxSlots = 1U << 20;
inline constexpr std::uint32_t kMaxClients = 4096;
inline constexpr std::uint32_t kRingEntries = 1U << 15;
inline constexpr std::uint32_t kSampleCount = 900;  // 15 minutes at one a second
// File system space for slots is reserved in chunks of this many before the first is used.
inline constexpr std::uint32_t kChunkSlots = 1024;

// Written once when the file is created; a copy on the second page allows recovery.
struct RegistryHeader {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t max_slots;
    std::uint64_t epoch;         // random; identifies this file in the event database
    std::uint64_t largest_size;  // the file's with all slots, bytes
    std::int64_t created_at;
    std::uint8_t boot_id[16];
    char instance[40];
    std::uint32_t owner_uid;
    std::uint32_t reserved;
    std::uint64_t checksum;
};

// The header of the manager's own files beside the registry (grants, locks).
struct alignas(64) EpochHeader {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t capacity;
    std::uint64_t epoch;  // of the registry it belongs to
    std::uint64_t reserved;
};

// Changes constantly; each field is independent of the others.
struct alignas(64) RegistryState {
    std::atomic<std::uint64_t> change;       // the highest change number assigned
    std::atomic<std::uint64_t> next_serial;  // of clients
    std::atomic<std::uint32_t> frontier;     // slots below it are reserved and may have been used
    std::atomic<std::uint32_t> frontier_check;  // its complement, stored first
    std::atomic<std::uint32_t> client_frontier;
    std::uint32_t reserved;
    std::atomic<std::int64_t> manager_pid;
    std::atomic<std::int64_t> started_at;
    std::atomic<std::int64_t> heartbeat;        // the service loop's last second
    std::atomic<std::uint64_t> ring_head;       // the highest published event, from 1
    std::atomic<std::uint64_t> ring_oldest;     // the lowest that has not been overwritten
    std::atomic<std::uint64_t> ring_committed;  // a hint; the database is authoritative
    std::atomic<std::uint64_t> sample_head;     // samples written so far
    std::atomic<std::uint64_t> events_lost;     // overwritten before they could be recorded
    // The instance's clock is boot time (boot_micros) plus `clock_origin`. It starts at the wall
    // clock's time when the file was created. Neither a change of the wall clock nor a restart of
    // the manager affects it. It ends with the file, which does not outlive the boot.
    std::atomic<std::int64_t> clock_origin;  // never 0
    std::atomic<std::int64_t> wall_shift;    // add this to get the current wall clock time
    std::atomic<std::int64_t> beat;          // the heartbeat, boot time
};

struct SlotFixed {  // written while the slot is RESERVED, constant until it is FREE again
    std::uint64_t id_micros, id_random;
    std::uint64_t size;  // requested bytes
    std::int64_t created_at;
    std::uint64_t owner_serial;  // the client that allocated; 0: the region belongs to its user
    std::uint64_t request_id;    // of the allocation, unique for that client
    std::int64_t owner_pid;
    std::int64_t owner_start;  // start time of that process, clock ticks since boot
    std::uint32_t owner_uid, owner_gid;
    char owner_process[16];
    char worker[32];
    char session[32];
    std::uint32_t name_bytes;  // of the region's NameCell; 0: it has no name
    std::uint32_t name_check;  // name_check_of() these bytes
    std::uint64_t checksum;
};

struct SlotBody {  // location and access: the part that can change during a region's life
    std::uint64_t generation;
    std::uint64_t actual_size;  // bytes reserved
    std::uint64_t arena;        // 0: dedicated
    std::uint64_t offset;
    std::uint64_t device, inode;  // of the segment, checked on adoption
    std::int64_t timeout_ms;      // 0: never
    std::int64_t deadline;        // end of a quarantine, or 0; the instance's clock
    std::uint8_t permission_owner, permission_group, permission_other;
    std::uint8_t security_level;
    std::uint8_t access_mode;
    std::uint8_t cleanup_policy;
    std::uint8_t placement;
    std::uint8_t sealed;
    std::uint32_t metadata_bytes;
    std::uint32_t flags;  // BodyFlag
    std::uint64_t checksum;
};
enum BodyFlag : std::uint32_t {
    kDurable = 1,              // a file in the state directory: survives a reboot
    kSealPending = 2,          // becomes immutable as soon as no process can write to it
    kHasCanary = 4,            // the bytes after its end hold a pattern that is checked
    kMemfd = 8,                // its segment, or its arena, is memory without a name
    kOwnerEnd = 3 << 4,        // two bits: OwnerEnd
    kAudited = 256,            // each access asks the manager, which records it
    kHasPolicy = 1 << 12,      // a policy in the state database; kPolicyRevision identifies it
    kPolicyPending = 1 << 13,  // takes effect when the region has moved to fresh memory
    kSecondName = 1 << 14,     // of the two names of a dedicated segment
};

inline constexpr int kOwnerEndShift = 4;

// Upper half of SlotBody::flags: counts the policies set on the region.
inline constexpr std::uint32_t kPolicyRevision = 0xFFFF'0000U;

struct alignas(64) Slot {
    std::atomic<std::uint64_t> control;  // Control::encode
    SlotFixed fixed;
    SlotBody body[2];
};

struct alignas(64)
    MetadataCell {  // JSON text, SlotBody::metadata_bytes of it; allocated only when used
    char text[1024];
};

// A region's name, SlotFixed::name_bytes of it, written while the slot is RESERVED; allocated only
// when used.
struct alignas(64) NameCell {
    char text[256];
};

struct HolderSample {
    std::uint16_t client;  // index into the client table
    std::uint16_t count;   // references, saturating
};

// The manager's last counts; refreshed when it sweeps a changed lease page.
struct SlotStats {
    std::uint32_t references;
    std::uint32_t holders;  // clients that hold at least one
    std::uint64_t access_count;
    std::int64_t last_accessed;  // the instance's clock
    HolderSample top[5];         // the first few, for display
    std::uint32_t recorded;      // digest of the holders in its last `references` event
};

struct alignas(64) ClientRow {  // public description of a client; serial 0: unused
    std::uint64_t serial;       // storing it commits a client's connect or disconnect
    std::int64_t pid;
    std::int64_t connected_at;
    std::uint32_t uid;
    std::uint8_t connected;  // 0: alive, connection lost
    std::uint8_t hostile;    // it it damaged its own lease page
    std::uint8_t reserved[2];
    char process[16];
    char worker[32];
    char pool[16];
    char session[32];
};

struct EventEntry {
    std::uint64_t seq;  // its place in the ring, from 1
    std::int64_t time;
    std::uint64_t control;  // the slot's control word after it, or 0
    std::uint32_t slot;     // kNoSlot: not about a region
    std::uint16_t kind;     // EventKind
    std::uint16_t result;   // ErrorCode, or 0
    std::uint64_t id_micros, id_random;
    std::int64_t pid;  // the process that caused it
    std::uint32_t uid;
    std::uint32_t count;  // references, clients …, depending on the kind
    std::uint64_t value;  // bytes …, depending on the kind
    char text[72];
};
inline constexpr std::uint32_t kNoSlot = ~0U;
// EventEntry::slot of an event committed together with a client's row: this plus the client's
// index.
inline constexpr std::uint32_t kClientSlots = 1U << 31;

// A reader's copy of a published entry. False: the cell holds another entry or was overwritten
// meanwhile, which happens to entries that are in the database.
inline bool copy_event(EventEntry& out, const EventEntry& cell, std::uint64_t seq) {
    if (__atomic_load_n(&cell.seq, __ATOMIC_ACQUIRE) != seq) return false;
    load_words(out, cell);
    std::atomic_thread_fence(std::memory_order_acquire);
    return __atomic_load_n(&cell.seq, __ATOMIC_RELAXED) == seq;
}

// Times of one kind of operation in the ten seconds before the sample; nanoseconds.
struct TimedSample {
    std::uint64_t count;
    std::uint64_t p50, p90, p99, p999;  // 0: none
};

// One per second. layout/metrics.h describes the fields.
struct Sample {
    std::int64_t time;
    // numbers of regions by state
    std::uint64_t regions, orphans, quarantined;
    std::uint64_t bytes_used;      // requested by live regions
    std::uint64_t bytes_reserved;  // allocated from the system for them
    std::uint64_t references;
    std::uint64_t clients;
    std::uint64_t allocations, deallocations, errors;  // since the manager started
    std::uint64_t events;                              // ring head
    std::uint64_t recorder_lag;                        // published and not yet in the database
    std::uint64_t shm_total, shm_free;            // of the file system the segments live on, bytes
    std::uint64_t max_regions, max_total_memory;  // the configuration's limits
    std::uint64_t damaged, inconsistent;
    std::uint64_t idle_regions, idle_bytes;  // live, without references
    std::uint64_t orphan_bytes;
    std::uint64_t refusals, allocation_failures;  // since the manager started
    std::uint64_t events_lost;
    std::uint64_t recorder_writable;  // 0 or 1
    std::uint64_t database_bytes, database_log_bytes;
    std::uint64_t locks_held, lock_waiters;
    std::uint64_t longest_lock_wait;                             // of current waiters, microseconds
    std::uint64_t deadlocks, lock_timeouts;                      // since the manager started
    std::uint64_t arenas, arena_bytes, arena_span, arena_holes;  // holes: free bytes in the span
    std::uint64_t leak_suspects;  // programs whose references only grow
    std::uint64_t health_problems;
    std::uint64_t alerts_firing, alerts_unacknowledged;
    std::uint64_t takes;         // references taken, since the manager started
    std::uint64_t service_cpu;   // of the service thread, since it started, microseconds
    std::uint64_t longest_turn;  // of the service loop in the last second, microseconds
    std::array<TimedSample, kTimed> timed;
    std::uint64_t reserved[4];
    std::uint64_t seq;  // its number, from 1; written last
};

static_assert(sizeof(RegistryHeader) == 112 && sizeof(RegistryState) == 128);
static_assert(sizeof(EpochHeader) == 64);
static_assert(sizeof(SlotFixed) == 168 && sizeof(SlotBody) == 88 && sizeof(Slot) == 384);
static_assert(sizeof(SlotStats) == 48 && sizeof(ClientRow) == 128);
static_assert(sizeof(EventEntry) == 144 && sizeof(Sample) == 672);

constexpr std::uint64_t page_up(std::uint64_t n) {
    return (n + 4095) & ~std::uint64_t{4095};
}

// FNV-1a: detects accidents.
constexpr std::uint32_t name_check_of(std::string_view name) {
    std::uint32_t hash = 0x811C9DC5U;
    for (const char c : name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x01000193U;
    return hash;
}
// The name in a copy of a slot's parts; empty: it has none, or it is damaged.
inline std::string_view name_of(const SlotFixed& fixed, const NameCell& cell) {
    const std::string_view name(
        cell.text, fixed.name_bytes < sizeof cell.text ? fixed.name_bytes : sizeof cell.text);
    return name_check_of(name) == fixed.name_check ? name : std::string_view();
}

// Byte offsets in the file; each part starts on a new page.
struct RegistryOffsets {
    static constexpr std::uint64_t header = 0;
    static constexpr std::uint64_t header_copy = 4096;
    static constexpr std::uint64_t state = 8192;
    static constexpr std::uint64_t samples = 12288;
    static constexpr std::uint64_t timed = page_up(samples + kSampleCount * sizeof(Sample));
    static constexpr std::uint64_t clients = page_up(timed + kTimed * sizeof(HistogramCells));
    static constexpr std::uint64_t ring = page_up(clients + kMaxClients * sizeof(ClientRow));
    static constexpr std::uint64_t fixed_end = page_up(ring + kRingEntries * sizeof(EventEntry));

    // Within a chunk. What is before `metadata_part` is reserved as a whole.
    static constexpr std::uint64_t stats_part = page_up(std::uint64_t{kChunkSlots} * 8);
    static constexpr std::uint64_t slots_part =
        page_up(stats_part + std::uint64_t{kChunkSlots} * sizeof(SlotStats));
    static constexpr std::uint64_t metadata_part =
        page_up(slots_part + std::uint64_t{kChunkSlots} * sizeof(Slot));
    static constexpr std::uint64_t names_part =
        page_up(metadata_part + std::uint64_t{kChunkSlots} * sizeof(MetadataCell));
    static constexpr std::uint64_t chunk_bytes =
        names_part + std::uint64_t{kChunkSlots} * sizeof(NameCell);

    static constexpr std::uint64_t chunk(std::uint32_t slot) {
        return fixed_end + slot / kChunkSlots * chunk_bytes;
    }
    static constexpr std::uint64_t change(std::uint32_t slot) {
        return chunk(slot) + std::uint64_t{slot % kChunkSlots} * 8;
    }
    static constexpr std::uint64_t stats(std::uint32_t slot) {
        return chunk(slot) + stats_part + slot % kChunkSlots * sizeof(SlotStats);
    }
    static constexpr std::uint64_t slot(std::uint32_t slot) {
        return chunk(slot) + slots_part + slot % kChunkSlots * sizeof(Slot);
    }
    static constexpr std::uint64_t metadata(std::uint32_t slot) {
        return chunk(slot) + metadata_part + slot % kChunkSlots * sizeof(MetadataCell);
    }
    static constexpr std::uint64_t name(std::uint32_t slot) {
        return chunk(slot) + names_part + slot % kChunkSlots * sizeof(NameCell);
    }
    static constexpr std::uint64_t end = fixed_end + kMaxSlots / kChunkSlots * chunk_bytes;

    // `size`, up to the end of a chunk.
    static constexpr std::uint64_t whole_chunks(std::uint64_t size) {
        const auto slots = size < fixed_end ? 0 : size - fixed_end;
        return fixed_end + (slots + chunk_bytes - 1) / chunk_bytes * chunk_bytes;
    }
    // The slots that a file of `size` bytes has room for: whole chunks.
    static constexpr std::uint32_t slots_in(std::uint64_t size) {
        const auto chunks = size < fixed_end ? 0 : (size - fixed_end) / chunk_bytes;
        return chunks < kMaxSlots / kChunkSlots ? static_cast<std::uint32_t>(chunks) * kChunkSlots
                                                : kMaxSlots;
    }
};
static_assert(RegistryOffsets::chunk_bytes % 4096 == 0);

// Typed views of a mapped registry file. `Byte` is std::byte or const std::byte.
template <typename Byte>
class RegistryView {
    template <typename T>
    using Q = std::conditional_t<std::is_const_v<Byte>, const T, T>;

  public:
    RegistryView() = default;
    explicit RegistryView(Byte* base) : base_(base) {}

    Q<RegistryHeader>& header() const { return at<RegistryHeader>(RegistryOffsets::header); }
    Q<RegistryHeader>& header_copy() const {
        return at<RegistryHeader>(RegistryOffsets::header_copy);
    }
    Q<RegistryState>& state() const { return at<RegistryState>(RegistryOffsets::state); }
    Q<Sample>& sample(std::uint64_t seq) const {
        return (&at<Sample>(RegistryOffsets::samples))[seq % kSampleCount];
    }
    Q<HistogramCells>& timed(Timed what) const {
        return (&at<HistogramCells>(RegistryOffsets::timed))[static_cast<std::size_t>(what)];
    }
    Q<ClientRow>& client(std::uint32_t i) const {
        return (&at<ClientRow>(RegistryOffsets::clients))[i];
    }
    std::atomic<std::uint64_t>& client_serial(std::uint32_t i) const {
        return *reinterpret_cast<std::atomic<std::uint64_t>*>(&client(i).serial);
    }
    Q<EventEntry>& event(std::uint64_t seq) const {
        return (&at<EventEntry>(RegistryOffsets::ring))[seq % kRingEntries];
    }
    Q<std::atomic<std::uint64_t>>& change(std::uint32_t i) const {
        return at<std::atomic<std::uint64_t>>(RegistryOffsets::change(i));
    }
    Q<SlotStats>& stats(std::uint32_t i) const { return at<SlotStats>(RegistryOffsets::stats(i)); }
    Q<Slot>& slot(std::uint32_t i) const { return at<Slot>(RegistryOffsets::slot(i)); }
    Q<MetadataCell>& metadata(std::uint32_t i) const {
        return at<MetadataCell>(RegistryOffsets::metadata(i));
    }
    Q<NameCell>& name(std::uint32_t i) const { return at<NameCell>(RegistryOffsets::name(i)); }

  private:
    template <typename T>
    Q<T>& at(std::uint64_t offset) const {
        return *reinterpret_cast<Q<T>*>(base_ + offset);
    }
    Byte* base_ = nullptr;
};

}  // namespace snakepit::shm::layout
