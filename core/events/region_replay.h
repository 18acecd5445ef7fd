// SPDX-License-Identifier: MIT
// What recorded events tell about regions and programs: a state, and the step that one event makes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "events/event_reader.h"
#include "layout/allocated_count.h"
#include "layout/registry_reader.h"

namespace snakepit::shm {

struct PastHolder {
    std::int64_t pid = 0;
    std::string process, worker;
    std::uint64_t count = 0;  // references
    bool read_only = false;
    friend bool operator==(const PastHolder&, const PastHolder&) = default;
};

// One region at one moment.
struct PastRegion {
    RegionId id;
    std::string name;
    std::uint64_t size = 0;
    Timestamp created_at;
    std::int64_t owner_pid = 0;
    std::uint32_t owner_uid = 0;
    std::string owner_process, worker;
    layout::AllocatedAs made_as;
    RegionState state = RegionState::live;
    bool sealed = false, has_policy = false, durable = false, inconsistent = false;
    std::uint64_t references = 0, holders = 0;
    std::vector<PastHolder> named;  // as many as were recorded
    std::uint32_t unknown = 0;      // RowPart bits
    // What the state is derived from.
    bool orphan = false, closing = false, quarantined = false, damaged = false;
    std::int64_t last_seq = 0;  // of the last event about it
    Timestamp changed_at;       // its time
};

// As the registry would list it, without a slot; what no event tells is in `unknown`. `present`:
// the region as it is now, if it still exists, for what does not change while it does.
RegionRow as_row(const PastRegion& region, const RegionInfo* present = nullptr);

// One connected program at one moment.
struct PastProgram {
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::string process, worker;
    Timestamp connected_at;  // 0: before the first event that mentions it
    bool connected = true;   // false: alive, and has not reconnected
};

// Whether a manager ran.
struct PastManager {
    enum class State : std::uint8_t { unknown, running, stopped };
    State state = State::unknown;
    Timestamp since;
    std::int64_t pid = 0;
};

// Value type; copies share the regions.
class RegionReplay {
  public:
    using Regions = std::unordered_map<RegionId, std::shared_ptr<const PastRegion>>;

    // The kinds that change a state; others need not be read.
    static const std::vector<EventKind>& kinds();

    // One after the other, in the order of their numbers. False: the row is about a region that
    // was never allocated as far as this replay knows; it is known from here on.
    bool apply(const EventRow& row);

    const Regions& regions() const { return regions_; }
    std::vector<PastProgram> programs() const;
    const PastManager& manager() const { return manager_; }
    std::uint64_t epoch() const { return epoch_; }
    std::int64_t seq() const { return seq_; }  // of the last row; 0: none
    // Events that were lost, as far as they were counted; the number of the row that says so last.
    std::uint64_t lost() const { return lost_; }
    std::int64_t lost_at() const { return lost_at_; }

    // The state in little room.
    struct Kept {
        std::vector<std::shared_ptr<const PastRegion>> regions;
        std::multimap<std::int64_t, PastProgram> programs;
        PastManager manager;
        std::uint64_t epoch = 0, lost = 0;
        std::int64_t seq = 0, lost_at = 0;
    };
    Kept keep() const;
    RegionReplay() = default;
    explicit RegionReplay(const Kept& kept);

  private:
    PastRegion& change(const RegionId& id, const EventRow& row);
    bool apply_to_region(const EventRow& row, const RegionId& id);
    void apply_to_program(const EventRow& row);
    void apply_to_manager(const EventRow& row);

    Regions regions_;
    std::multimap<std::int64_t, PastProgram> programs_;  // by process id
    PastManager manager_;
    std::uint64_t epoch_ = 0, lost_ = 0;
    std::int64_t seq_ = 0, lost_at_ = 0;
};

}  // namespace snakepit::shm
