// SPDX-License-Identifier: MIT
// The recorder's side of host_history.db: one connection, opened for writing. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "host_history/host_totals.h"

namespace snakepit::shm {

class HistoryStore {
  public:
    static constexpr std::uint64_t kMostBytes = 64ULL << 20;
    static constexpr std::size_t kMostSegments = 20'000;  // that are remembered

    // Creates the file and its tables if they are missing. corruption_detected: the file is not a
    // database, or is damaged; database_unavailable: anything else that prevents writing.
    static Result<HistoryStore> open(const std::string& path);
    HistoryStore(HistoryStore&&) noexcept;
    HistoryStore& operator=(HistoryStore&&) noexcept;
    ~HistoryStore();

    // Adds the totals of one survey, and updates the rows that they belong to. Of several surveys
    // in a minute the last one counts.
    Status add(const HostTotals& totals);
    // The rows of the finest table since `from`.
    Result<std::vector<HostTotals>> since(Timestamp from);
    // What was saved about segments; `seen` is taken as the time when they were last seen.
    Status load(SegmentMemory& memory, Timestamp seen);
    // Saves what changed, and removes those in `forgotten`.
    Status save(SegmentMemory& memory, const std::vector<std::string>& forgotten);
    // Removes rows that are older than they are kept, and then, while there is more than
    // `max_bytes`, the oldest of the finest.
    Status retain(std::uint64_t max_bytes = kMostBytes);
    std::uint64_t bytes() const;  // in use; 0: it cannot be asked

    // The path leads to another file, or to none.
    bool moved() const;

  private:
    struct Private;
    explicit HistoryStore(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
