// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "regions/region_service.h"
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
    std::int64_t at = 0;  // microseconds, when it was complete; 0: there was none yet
};

// Walks over all regions every ten seconds, a part of it in each turn. RegionService thread.
class UsageSurvey {
  public:
    explicit UsageSurvey(RegionService& service) : service_(service) {}

    // Names come from clients: of so many each is told, the others are not.
    static constexpr std::size_t kMostNames = 10'000;

    // The next part. True: last() is new.
    bool go_on(std::int64_t at);
    const UsageTables& last() const { return last_; }

  private:
    void look(std::uint32_t slot);

    RegionService& service_;
    SlotScan pass_;
    UsageTables last_, next_;
    std::int64_t deadlines_ = 0;
};

}  // namespace snakepit::shm
