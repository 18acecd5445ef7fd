// SPDX-License-Identifier: MIT
// What a service tells of itself as a whole.
#pragma once

#include <cstdint>
#include <vector>

namespace snakepit::shm {

struct ServiceTotals {
    std::uint64_t regions = 0, orphans = 0, quarantined = 0, references = 0;
    std::uint64_t allocations = 0, deallocations = 0, errors = 0;
};

// How the last complete look for damage went.
struct HealthState {
    std::int64_t completed_at = 0;       // microseconds; 0: there was none yet
    std::uint64_t regions = 0;           // looked at
    std::vector<std::uint32_t> damaged;  // slots
};

}  // namespace snakepit::shm
