// SPDX-License-Identifier: MIT
// Reads a manager's registry file from outside: never writes, never locks, costs the manager
// nothing.
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

// One slot as a reader sees it. `info.references` names at most five holders.
struct RegionRow {
    std::uint32_t slot = 0;
    std::uint64_t generation =
        0;  // (slot, generation) identifies the region for as long as it lives
    std::uint32_t holders = 0;
    RegionInfo info;
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
    bool reset = false;                  // the file was replaced: forget everything from before
};

// One thread at a time.
class RegistryReader {
  public:
    // no_manager when the file does not exist, version_mismatch or corruption_detected when it is
    // not ours.
    static Result<RegistryReader> open(const std::string& path);

    // What changed since the last call. Costs 8 bytes of reading a slot ever used, and the changed
    // ones. A manager that started anew with a new file is followed by itself.
    RegistryDelta poll();

    std::vector<ClientInfo> clients() const;
    // The samples with a number above `after`, oldest first; at most kSampleCount.
    std::vector<layout::Sample> samples(std::uint64_t after) const;
    // The last of them, if there was one yet.
    std::optional<layout::Sample> newest_sample() const;
    // Published events numbered above `after`, oldest first, at most `most`. The first may be later
    // than that: what lies between was overwritten.
    std::vector<layout::EventEntry> events(std::uint64_t after, std::size_t most) const;
    // Everything timed since the registry was made.
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
    // The manager's last heartbeat; one a second. Much older than now: it hangs or is gone. Counted
    // back from now by boot time, so that no step of the wall clock makes it old or new; of a file
    // of another boot, a bundle's, what was written.
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

// When the manager's heart beat last, by the wall clock as it is set now. `this_boot`: the file was
// made since the system started.
Timestamp heartbeat_of(const layout::RegistryState& state, bool this_boot);

// Turns the three parts of a slot into what people see. `metadata` may be null; `wall_shift` turns
// times of the instance's clock into the wall clock's.
RegionInfo describe(const layout::Control& control, const layout::SlotFixed& fixed,
                    const layout::SlotBody& body, const layout::SlotStats& stats,
                    const char* metadata, std::string_view instance, std::int64_t wall_shift);

// Names of segments. Dedicated: "/snakepit_<instance>_<region id>", sealed with "_sealed" behind
// it; an arena: "/snakepit_<instance>_arena_<16 hexadecimal digits>"; durable: "durable/<region
// id>".
std::string segment_name(std::string_view instance, const RegionId& id);
std::string durable_name(const RegionId& id);
std::string arena_name(std::string_view instance, std::uint64_t arena);
// Of memory without a name: "memfd:snakepit_…" in place of "/snakepit_…".
std::string anonymous_name(std::string_view name);
inline constexpr std::string_view kSealedSuffix = "_sealed";
// Of a region that moved from one segment of its own to another; every second time.
inline constexpr std::string_view kSecondSuffix = "_second";
// The arena whose name ends so, behind "/snakepit_<instance>_"; nothing for other segments.
std::optional<std::uint64_t> arena_of(std::string_view name_end);
// The one the region lives in.
std::string segment_name(std::string_view instance, const RegionId& id,
                         const layout::SlotBody& body);

}  // namespace snakepit::shm
