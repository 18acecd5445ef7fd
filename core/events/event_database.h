// SPDX-License-Identifier: MIT
// The recorder's side of events.db: one connection, opened for writing. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "events/audit_trail.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

class EventDatabase {
  public:
    // Creates the file and its table if they are missing. corruption_detected: the file is not a
    // database, or is damaged; database_unavailable: anything else that prevents writing. `trail`
    // outlives it; null: the rows are chained, but not signed.
    static Result<EventDatabase> open(const std::string& path, std::uint64_t epoch,
                                      AuditTrail* trail = nullptr);
    EventDatabase(EventDatabase&&) noexcept;
    EventDatabase& operator=(EventDatabase&&) noexcept;
    ~EventDatabase();

    // The highest place in this epoch's ring that has a row; 0: none. As of open() and write().
    std::uint64_t last() const;

    // One transaction: all of `entries` or nothing. An entry whose `seq` is 0 is the recorder's own
    // and gets no place in the ring. Errors as of open(); after one, close and open again.
    Status write(std::span<const layout::EventEntry> entries);

    // Rows about a history that is not as it was signed; until the next write().
    const std::vector<layout::EventEntry>& findings() const;
    // Updates audit.head if necessary: for pauses and the end (`at_once`; otherwise it is written
    // once a second at most). Errors as of write().
    Status settle(bool at_once);
    // The time before which rows are old, for this retention: see RetentionClock. Errors as of
    // write().
    Result<Timestamp> retention_time(std::int64_t kept_ms);
    // Removes a bounded number of the oldest rows, all older than `cutoff`; a signed anchor stays
    // in their place. 0 rows: no more can be removed. Errors as of write().
    Result<ChainWriter::Removed> remove_before(Timestamp cutoff);
    // Bytes that rows and indexes take in the file; pages that removed rows left are used again and
    // do not count, nor does the write-ahead log. Errors as of write().
    Result<std::uint64_t> used_bytes();

    // The path leads to another file, or to none: readers may not see what was written last. Costs
    // a few stat() calls.
    bool moved() const;

  private:
    struct Private;
    explicit EventDatabase(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
