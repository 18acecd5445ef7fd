// SPDX-License-Identifier: MIT
// The recorder's side of events.db: one connection, opened for writing. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

inline constexpr int kEventSchemaVersion = 1;  // PRAGMA user_version

class EventDatabase {
  public:
    // Makes the file and its table when there is none. corruption_detected: it is no database, or a
    // damaged one; database_unavailable: anything else that prevents writing.
    static Result<EventDatabase> open(const std::string& path, std::uint64_t epoch);
    EventDatabase(EventDatabase&&) noexcept;
    EventDatabase& operator=(EventDatabase&&) noexcept;
    ~EventDatabase();

    // The highest place in this epoch's ring that has a row; 0: none. As of open() and write().
    std::uint64_t last() const;

    // One transaction: all of `entries` or nothing. An entry whose `seq` is 0 is the recorder's own
    // and gets no place in the ring. Errors as of open(); after one, close and open again.
    Status write(std::span<const layout::EventEntry> entries);

    // The path leads to another file, or to none: what was written last is perhaps not in the
    // database that readers see. Costs a few stat() calls.
    bool moved() const;

  private:
    struct Private;
    explicit EventDatabase(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

// Renames a damaged database with what belongs to it; answers its new path.
Result<std::string> set_aside(const std::string& path);

// Removes what an unlinked database left beside its path: an old log must not meet a new database,
// nor must readers of the old one see the new one's index.
void remove_orphaned_log(const std::string& path);

}  // namespace snakepit::shm
