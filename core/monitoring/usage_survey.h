// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "regions/service_state.h"
#include "regions/slot_scan.h"

namespace snakepit::shm {

struct UsageLine {
    std::uint64_t regions = 0, bytes = 0, references = 0;
};

// Who uses how much, as a walk over all regions found it.
struct UsageTables {
    std::unordered_map<std::uint32_t, UsageLine> users;
    std::unordered_map<std::string, UsageLine> sessions, workers;
    std::unordered_map<std::uint64_t, std::uint64_t> references;  // by client's serial
    std::int64_t at = 0;  // microseconds, when it was complete; 0: none was completed yet
};

// Walks over all regions every ten seconds, a part of it in each slice. Service thread.
class UsageSurvey {
  public:
    explicit UsageSurvey(ServiceState& state) : state_(state) {}

    // Names come from clients: this many of each are reported.
    static constexpr std::size_t kMostNames = 10'000;

    // The next part. True: last() is new.
    bool run_slice(std::int64_t at);
    const UsageTables& last() const { return last_; }

  private:
    void count(std::uint32_t slot);

    ServiceState& state_;
    SlotScan scan_;
    UsageTables last_, next_;
    std::int64_t next_survey_ = 0;
};

}  // namespace snakepit::shm
