// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace SQLite {
class Database;
}

namespace snakepit::shm {

// The clock by which rows of a database become old. Rows carry wall time, and a wall clock that is
// set forward by a year would make all of them old at once; removed rows cannot be restored. This
// clock follows the wall clock no more than twice as fast as time passes, and by an hour more with
// each start of a manager, so that an administrator has time to notice. It never runs ahead of the
// wall clock. It is kept in the database. One thread; where SQLite's exceptions are caught.
class RetentionClock {
  public:
    // `oldest_kept`: the time up to which it may follow at once, since no row would be old by then.
    Timestamp follow(SQLite::Database& database, Timestamp wall, Timestamp oldest_kept);
    // Later rows were written while the wall clock was wrong.
    Timestamp latest(Timestamp wall) const { return std::max(Timestamp{time_}, wall); }

  private:
    std::int64_t time_ = 0, saved_ = 0;  // wall time, microseconds
    std::int64_t followed_at_ = 0;       // boot time; 0: not yet
};

}  // namespace snakepit::shm
