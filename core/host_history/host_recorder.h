// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "host_history/host_growth.h"
#include "host_history/host_totals.h"
#include "survey/host_survey.h"

namespace snakepit::shm {

struct HostRecorderState {
    std::int64_t interval_ms = 0;  // 0: nothing is recorded
    std::uint64_t surveys = 0;     // by this recorder
    std::int64_t cpu_nanos = 0;    // of the last survey
    std::int64_t pause_ms = 0;     // after it: the interval, or longer to stay within the budget
    std::uint64_t bytes = 0;       // of the database
    std::string problem;           // why nothing is recorded now; empty otherwise
    HostTotals last;
    std::vector<ProgramGrowth> growing;  // as of then
};

// Surveys the host at an interval, on a thread of its own, and keeps the totals in host_history.db.
// All surveys together take at most about 1 % of one processor: after an expensive one the next
// waits longer. Sees what its user may see. A database that cannot be written stops only this; it
// is tried again, and a damaged one is set aside under another name.
class HostRecorder {
  public:
    static constexpr std::int64_t kDefaultInterval = 60'000;  // milliseconds
    static constexpr std::int64_t kShortestInterval = 1'000;
    static constexpr std::int64_t kBudget = 100;  // a survey's time is at most one part of so many

    HostRecorder(std::string path, SurveyOptions options);
    ~HostRecorder();
    HostRecorder(const HostRecorder&) = delete;
    HostRecorder& operator=(const HostRecorder&) = delete;

    // The others: any thread, and they never wait. 0: nothing is recorded from now on. The first
    // survey is one interval later.
    void set_interval(std::int64_t millis);
    HostRecorderState state() const;
    // HostRecorderState::surveys; one that was just recorded changes it.
    std::uint64_t surveys() const;

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

// How long to wait between the beginnings of two surveys.
std::int64_t pause_after(std::int64_t cpu_nanos, std::int64_t interval_ms);

}  // namespace snakepit::shm
