// SPDX-License-Identifier: MIT
// Figures of a service as a whole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "layout/histogram.h"
#include "registry/region_totals.h"

namespace snakepit::shm {

// What happened since the manager started.
struct ServiceCounters {
    std::uint64_t allocations = 0, deallocations = 0, allocation_failures = 0, refusals = 0;
    std::uint64_t deadlocks = 0, lock_timeouts = 0;
    std::uint64_t takes = 0;  // references taken, as far as lease pages were swept
};

struct ServiceTotals : RegionTotals, ServiceCounters {
    std::uint64_t errors = 0;
};

// Allocations since the manager started, by who made them.
struct AllocationCounts {
    std::unordered_map<std::uint32_t, std::uint64_t> users;
    std::unordered_map<std::string, std::uint64_t> sessions, workers;
    // Names come from clients: of so many each is counted, and the rest is not.
    static constexpr std::size_t kMostNames = 10'000;

    void add(std::uint32_t uid, const char* session, const char* worker) {
        ++users[uid];
        for (auto [names, name] : {std::pair(&sessions, session), std::pair(&workers, worker)})
            if (*name != 0 && (names->size() < kMostNames || names->contains(name)))
                ++(*names)[name];
    }
};

// Where a service writes down what it does. Service thread.
struct ServiceStats {
    ServiceCounters counters;
    AllocationCounts allocations;
    std::int64_t longest_slice = 0;  // of the service loop, nanoseconds; since it was last set to 0

    void slice_ended(std::int64_t began) {
        longest_slice = std::max(longest_slice, monotonic_nanos() - began);
    }
};

// Measures the time since it was made; stop() adds it to a histogram.
class Stopwatch {
  public:
    void stop(layout::HistogramCells& cells) const { cells.add(nanos()); }
    std::uint64_t nanos() const { return static_cast<std::uint64_t>(monotonic_nanos() - began_); }

  private:
    std::int64_t began_ = monotonic_nanos();
};

// How the last complete scan for damage went.
struct HealthState {
    std::int64_t completed_at = 0;       // microseconds; 0: none was completed yet
    std::uint64_t regions = 0;           // checked
    std::vector<std::uint32_t> damaged;  // slots
};

}  // namespace snakepit::shm
