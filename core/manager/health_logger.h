// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/paths.h"
#include "base/time.h"
#include "conditions/condition.h"
#include "events/event_recorder.h"
#include "layout/ownership.h"
#include "manager/runtime_files.h"
#include "manager/service.h"

namespace snakepit::shm {

// One thing that is wrong, for as long as it is.
struct HealthProblem {
    std::string key;    // the same thing has the same at every look
    std::string brief;  // what, in a few words: an event has room for 71 bytes
    std::string what;   // what, in a sentence
    std::string remedy;
    RegionId region;                       // zero: about none
    Timestamp since;                       // when it was first seen
    const Condition* condition = nullptr;  // of the table, if it is there
};

// How one look went.
struct HealthResult {
    Timestamp at;
    std::uint64_t regions = 0;  // looked at
    std::size_t problems = 0;   // there were
    std::int64_t noted_at = 0;  // boot time
};

// The specification's HealthLogger: knows what is wrong now, and records what is new and what was
// mended. What it asks is known already or costs next to nothing; regions are looked at by the
// service itself, some in each turn, and programs by this, some each second. Service thread.
class HealthLogger {
  public:
    HealthLogger(Service& service, const EventRecorder& recorder)
        : service_(service), recorder_(recorder) {}

    // What the service does not know. `keeping`, `mark` and `files` are borrowed for good.
    void watch(const Keeping& keeping, const OwnershipMark& mark, const RuntimeFiles& files,
               const InstancePaths& paths);
    // Once a second: looks at some programs, and at everything else when the service has been
    // through all regions once more.
    void second(std::int64_t at);
    // Looks at everything now; the worst is not first, the oldest is.
    std::vector<HealthProblem> look(std::int64_t at);

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
    void look_at_programs();
    void take(Found found, std::int64_t at);
    void record(const HealthProblem& problem, EventKind kind);

    Service& service_;
    const EventRecorder& recorder_;
    const Keeping* keeping_ = nullptr;
    const OwnershipMark* mark_ = nullptr;
    const RuntimeFiles* files_ = nullptr;
    InstancePaths paths_;
    std::int64_t seen_pass_ = 0;  // of the service's walks over all regions
    std::uint32_t next_client_ = 0;
    std::unordered_map<std::uint64_t, std::string> gone_;  // by serial: who is gone and not buried
    Found known_;
    std::deque<HealthResult> history_;
};

}  // namespace snakepit::shm
