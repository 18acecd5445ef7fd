// SPDX-License-Identifier: MIT
// Who held a region, from when to when, as its `references` events tell it: to the second.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "events/event_reader.h"

namespace snakepit::shm {

struct Hold {
    Timestamp from, to;         // to 0: it still holds
    std::uint64_t most = 0;     // references at once
    bool read_only = true;      // all the time
    Timestamp unsure_from{};    // not every holder is named from then on; 0: known to its end
    bool began_before = false;  // it held already when the events that are left begin
    friend bool operator==(const Hold&, const Hold&) = default;
};

// One process; a number that was used again is another one.
struct HolderLane {
    std::int64_t pid = 0;
    Timestamp started;  // 0: not recorded
    std::string process, worker;
    std::vector<Hold> holds;  // one after the other, at least one
    bool holds_now() const { return holds.back().to.micros == 0; }
};

struct HolderLanes {
    // Those that still hold first, the longest hold first; then those that let go, the last first.
    std::vector<HolderLane> lanes;
    Timestamp first;            // of the events; 0: there is none
    Timestamp freed{};          // the region ended; 0: it has not
    std::uint64_t unnamed = 0;  // most holders at once that no event names
};

// `rows`: of one region, in the order of their numbers, of holder_lane_kinds().
HolderLanes holder_lanes(const std::vector<EventRow>& rows);
std::vector<EventKind> holder_lane_kinds();

}  // namespace snakepit::shm
