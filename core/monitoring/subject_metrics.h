// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "layout/metrics.h"
#include "monitoring/usage_survey.h"
#include "regions/region_service.h"
#include "telemetry/reference_growth.h"

namespace snakepit::shm {

// What is sampled of single programs, regions and users: SNAKEPIT_SHM_SUBJECT_METRICS.
// Service thread.
class SubjectMetrics {
  public:
    SubjectMetrics(ServiceState& state, const RegionService& service)
        : state_(state), service_(service) {}

    void configure(const Config& config);
    // A survey was completed at `at` (microseconds).
    void surveyed(const UsageTables& usage, std::int64_t at);
    // As they are now; bounded, the worst of each first.
    std::vector<SubjectValue> values();
    const std::vector<GrowingClient>& growing() const { return growth_.growing(); }
    // "python (4711), worker w3"; empty when it has ended.
    std::string name_of(std::uint64_t serial) const;

  private:
    struct User {
        std::string name;
        std::uint64_t max_regions = 0, max_memory = 0;  // 0: no limit
        std::int64_t known_at = 0;
    };
    void add_growth(std::vector<SubjectValue>& out) const;
    void add_lock_waits(std::vector<SubjectValue>& out) const;
    void add_users(std::vector<SubjectValue>& out);
    const User& user(std::uint32_t uid);

    ServiceState& state_;
    const RegionService& service_;
    ReferenceGrowth growth_;
    std::unordered_map<std::uint32_t, User> users_;
    bool has_quotas_ = false;
    std::uint64_t max_regions_ = 0, max_memory_ = 0;  // of a user without a quota
};

}  // namespace snakepit::shm
