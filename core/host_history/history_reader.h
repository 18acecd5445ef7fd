// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "host_history/host_totals.h"

namespace snakepit::shm {

// One row of the history.
struct HostRecord {
    HostTotals totals;
    std::int64_t seconds = 60;  // its length
};

// The value of one program, user or group over some time.
struct HostPoint {
    Timestamp time;  // where that time begins
    std::int64_t seconds = 60;
    double bytes = 0, left_bytes = 0;
};
struct HostSeries {
    std::string name;  // "(other)": all that are not among the largest
    std::vector<HostPoint> points;
};

// Reads host_history.db from any process, with or without a manager. Never writes it. One thread at
// a time.
class HistoryReader {
  public:
    // The database is opened by the first call.
    explicit HistoryReader(const std::string& path);
    HistoryReader(HistoryReader&&) noexcept;
    HistoryReader& operator=(HistoryReader&&) noexcept;
    ~HistoryReader();

    // The row that holds `time`, in the finest table that has one. Empty: nothing was recorded
    // then. database_unavailable if the file is missing or is not such a database.
    Result<std::optional<HostRecord>> at(Timestamp time);
    // The times of the rows next to `time`, before and after; 0: there is none.
    struct Neighbours {
        Timestamp before, after;
    };
    Result<Neighbours> next_to(Timestamp time);
    // from <= time < to in at most about `max_points` points each, for the `most` largest of the
    // kind at the end of that time and all others together; the largest first.
    Result<std::vector<HostSeries>> series(TotalsBy by, Timestamp from, Timestamp to,
                                           std::size_t max_points, std::size_t most);
    // What was recorded about single segments.
    Result<SegmentMemory> segments();

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
