// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "conditions/condition.h"
#include "events/event_recorder.h"
#include "layout/ownership.h"
#include "monitoring/runtime_files.h"
#include "regions/region_service.h"

namespace snakepit::shm {

// One thing that is wrong, for as long as it is.
struct HealthProblem {
    std::string key;    // the same at every check
    std::string brief;  // what, in a few words: an event has room for 71 bytes
    std::string what;   // what, in a sentence
    std::string remedy;
    RegionId region;                       // zero: about none
    Timestamp since;                       // when it was first seen
    const Condition* condition = nullptr;  // of the table, if it is there
};

// How one check went.
struct HealthResult {
    Timestamp at;
    std::uint64_t regions = 0;  // checked
    std::size_t problems = 0;   // there were
    std::int64_t noted_at = 0;  // boot time
};

// Knows what is wrong now, and records what is new and what was mended. What it asks is known
// already or costs next to nothing; regions are checked by the service itself, some in each slice,
// and programs by this, some each second. Service thread.
class HealthLogger {
  public:
    HealthLogger(ServiceState& state, const RegionService& service, const EventRecorder& recorder)
        : state_(state), service_(service), recorder_(recorder) {}

    // What the service does not know; borrowed for good.
    void watch(const OwnershipMark& mark, const RuntimeFiles& files);
    // Once a second: looks at some programs, and at everything else when the service has been
    // through all regions once more.
    void on_second(std::int64_t at);
    // Looks at everything now; the worst is not first, the oldest is.
    std::vector<HealthProblem> check(std::int64_t at);

    // What keeps memory without a name, as of the last second.
    const Keeping& keeping() const { return keeping_; }
    // Without those that an alert rule of their own watches: they would raise two alerts.
    std::size_t problems() const;
    // Of a day at most, the newest last.
    const std::deque<HealthResult>& history() const { return history_; }

  private:
    using Found = std::map<std::string, HealthProblem>;

    Found find();
    void find_regions(Found& found);
    void find_recording(Found& found);
    void find_room(Found& found);
    void find_arenas(Found& found);
    void find_files(Found& found);
    void poll_keeper();
    void check_programs();
    void update(Found found, std::int64_t at);
    void record(const HealthProblem& problem, EventKind kind);

    ServiceState& state_;
    const RegionService& service_;
    const EventRecorder& recorder_;
    Keeping keeping_;
    const OwnershipMark* mark_ = nullptr;
    const RuntimeFiles* files_ = nullptr;
    std::int64_t seen_scan_ = 0;  // of the service's walks over all regions
    std::uint32_t next_client_ = 0;
    std::unordered_map<std::uint64_t, std::string> gone_;  // by serial: ended and not reaped
    Found known_;
    std::deque<HealthResult> history_;
};

}  // namespace snakepit::shm
