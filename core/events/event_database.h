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
    // Makes the file and its table when there is none. corruption_detected: it is no database, or a
    // damaged one; database_unavailable: anything else that prevents writing.
    // `trail` outlives it; null: the rows are chained, and signed by nobody.
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

    // Rows that are due because the history is not as it was signed; until the next write().
    const std::vector<layout::EventEntry>& findings() const;
    // Brings audit.head up to date, if it is not: for pauses and the end (`at_once`; otherwise it
    // is written once a second at most). Errors as of write().
    Status settle(bool at_once);
    // As of when rows are old that are kept for so long: see RetentionClock. Errors as of write().
    Result<Timestamp> retention_time(std::int64_t kept_ms);
    // Removes a bounded number of the oldest rows, all older than `cutoff`; a signed anchor stays
    // in their place. 0 rows: there are no more that can go. Errors as of write().
    Result<ChainWriter::Removed> remove_before(Timestamp cutoff);
    // Bytes that rows and indexes take in the file; pages that removed rows left are used again and
    // do not count, nor does the write-ahead log. Errors as of write().
    Result<std::uint64_t> used_bytes();

    // The path leads to another file, or to none: what was written last is perhaps not in the
    // database that readers see. Costs a few stat() calls.
    bool moved() const;

  private:
    struct Private;
    explicit EventDatabase(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
