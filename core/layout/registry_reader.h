// SPDX-License-Identifier: MIT
// Reads a manager's registry file from another process: never writes or locks it, at no cost to the
// manager.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "layout/registry_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// Parts of a region that events may not tell.
enum RowPart : std::uint32_t {
    kPartSize = 1,
    kPartOwner = 2,       // process, its id and user
    kPartState = 4,       // also whether it is sealed
    kPartReferences = 8,  // how many, and whose
    kPartOptions = 16,    // cleanup policy, end with the owner, level, access and permissions
    kPartUse = 32,        // when and how often it was used last
    kPartRest = 64,  // what else no event tells: reserved bytes, timeout, session, metadata …
    kAllParts = 127,
};

// One slot as a reader sees it. `info.references` names at most five holders.
struct RegionRow {
    std::uint32_t slot = 0;
    std::uint64_t generation =
        0;  // (slot, generation) identifies the region for as long as it lives
    std::uint32_t holders = 0;
    RegionInfo info;
    std::uint32_t unknown = 0;  // RowPart bits, in a row that was rebuilt from events
};

struct ClientInfo {
    std::uint32_t index = 0;
    std::uint64_t serial = 0;
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    Timestamp connected_at;
    bool connected = false;
    bool hostile = false;
    std::string process, worker, pool, session;
};

// Of a registry file, bytes.
inline constexpr FileSizes kRegistrySizes{layout::RegistryOffsets::fixed_end,
                                          layout::RegistryOffsets::end};

struct RegistryDelta {
    std::vector<RegionRow> changed;      // new or changed since the last poll
    std::vector<std::uint32_t> vacated;  // slots that hold no region now
    bool reset = false;                  // the file was replaced: discard everything known before
};

// One thread at a time.
class RegistryReader {
  public:
    // no_manager if the file does not exist; version_mismatch or corruption_detected if it cannot
    // be used.
    static Result<RegistryReader> open(const std::string& path);

    // The changes since the last call. Reads 8 bytes for each slot ever used, and the changed
    // slots. Follows a new manager to a new file automatically.
    RegistryDelta poll();

    std::vector<ClientInfo> clients() const;
    // The samples with a number above `after`, oldest first; at most kSampleCount.
    std::vector<layout::Sample> samples(std::uint64_t after) const;
    // The newest sample, if there is one yet.
    std::optional<layout::Sample> newest_sample() const;
    // Published events numbered above `after`, oldest first, at most `most`. The first may be
    // later: the entries between were overwritten.
    std::vector<layout::EventEntry> events(std::uint64_t after, std::size_t most) const;
    // All operation times since the registry was created.
    layout::Histogram timed(layout::Timed what) const {
        return layout::Histogram::of(view_.timed(what));
    }

    std::uint64_t epoch() const { return view_.header().epoch; }
    Timestamp created_at() const { return {view_.header().created_at}; }  // the registry
    std::int64_t manager_pid() const {
        return view_.state().manager_pid.load(std::memory_order_relaxed);
    }
    Timestamp started_at() const {
        return {view_.state().started_at.load(std::memory_order_relaxed)};
    }
    // The manager's last heartbeat; one per second. If it is much older than now, the manager hangs
    // or has exited. Computed from boot time, so that changes of the wall clock do not affect it;
    // for a file of another boot (in a bundle), as it was written.
    Timestamp heartbeat() const;
    std::uint64_t event_head() const {
        return view_.state().ring_head.load(std::memory_order_acquire);
    }
    std::uint64_t events_recorded() const {  // in the database; may be behind it
        return view_.state().ring_committed.load(std::memory_order_acquire);
    }
    std::uint64_t events_lost() const {
        return view_.state().events_lost.load(std::memory_order_relaxed);
    }

  private:
    // Slots that have been used, as far as the file has them: what is behind its end cannot be
    // read.
    std::uint32_t frontier();
    enum class Read : std::uint8_t { row, vacant, busy };
    Read read(std::uint32_t slot, RegionRow& out) const;

    std::string path_;
    MappedFile file_;
    layout::RegistryView<const std::byte> view_;
    bool of_this_boot_ = false;
    std::uint64_t seen_ = 0;
    std::uint32_t readable_ = 0;  // slots the file is known to have
};

// The time of the manager's last heartbeat by the current wall clock. `this_boot`: the file was
// created since the system started.
Timestamp heartbeat_of(const layout::RegistryState& state, bool this_boot);

OwnerEnd owner_end_of(const layout::SlotBody& body);

// Converts the three parts of a slot for display. `metadata` may be null; `wall_shift` converts the
// instance's clock to wall clock time.
RegionInfo describe(const layout::Control& control, const layout::SlotFixed& fixed,
                    const layout::SlotBody& body, const layout::SlotStats& stats,
                    const char* metadata, std::string_view name, std::string_view instance,
                    std::int64_t wall_shift);

// Names of segments. Dedicated: "/snakepit_<instance>_<region id>", sealed: with the suffix
// "_sealed"; an arena: "/snakepit_<instance>_arena_<16 hexadecimal digits>"; durable:
// "durable/<region id>".
std::string segment_name(std::string_view instance, const RegionId& id);
std::string durable_name(const RegionId& id);
std::string arena_name(std::string_view instance, std::uint64_t arena);
// Memory without a name: "memfd:snakepit_…" in place of "/snakepit_…".
std::string anonymous_name(std::string_view name);
inline constexpr std::string_view kSealedSuffix = "_sealed";
// The suffix of every second dedicated segment of a region that moved.
inline constexpr std::string_view kSecondSuffix = "_second";
// The arena number in the rest of a name after "/snakepit_<instance>_"; empty for other segments.
std::optional<std::uint64_t> arena_of(std::string_view name_end);
// The name of the region's segment.
std::string segment_name(std::string_view instance, const RegionId& id,
                         const layout::SlotBody& body);

}  // namespace snakepit::shm
