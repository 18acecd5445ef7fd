// SPDX-License-Identifier: MIT
// Programs whose shared memory grows and is not released.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "host_history/host_totals.h"

namespace snakepit::shm {

struct ProgramGrowth {
    std::string program;
    std::uint64_t bytes = 0;   // that it grew by
    std::int64_t seconds = 0;  // in this time
    std::uint64_t before = 0, after = 0;
    std::uint64_t left_over = 0, bytes_left = 0;  // segments now
    // "python's segments grew by 3 GiB in 6 h, from 1 GiB to 4 GiB; 41 are left over (2.8 GiB)".
    std::string sentence() const;
};

// The last hours of totals by program. Not in a window that has a part without totals. One thread.
class GrowthWatch {
  public:
    static constexpr std::int64_t kLongest = 6 * 3600;  // seconds

    // In the order of their times; a time before the last one means that the clock was set back,
    // and what lies ahead of it is forgotten.
    void add(const HostTotals& totals);
    // As of the last totals; the largest growth of each program, the largest first.
    std::vector<ProgramGrowth> growing() const;

  private:
    struct Minute {
        std::int64_t time = 0;
        std::vector<UsageTotal> programs;
    };
    std::deque<Minute> minutes_;
};

}  // namespace snakepit::shm
