// SPDX-License-Identifier: MIT
#include "events/retention_clock.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <cstdlib>

namespace snakepit::shm {

namespace {

constexpr std::int64_t kAtStart = 3'600'000'000;   // microseconds
constexpr std::int64_t kSavedEvery = 600'000'000;  // of this clock
constexpr auto kTable =
    "CREATE TABLE IF NOT EXISTS retention_clock(one INTEGER PRIMARY KEY CHECK(one = 1), time "
    "INTEGER NOT NULL)";

}  // namespace

Timestamp RetentionClock::follow(SQLite::Database& database, Timestamp wall,
                                 Timestamp oldest_kept) {
    const auto at = boot_micros();
    if (followed_at_ == 0) {
        database.exec(kTable);
        SQLite::Statement kept(database, "SELECT time FROM retention_clock");
        saved_ = kept.executeStep() ? kept.getColumn(0).getInt64() : 0;
        // A database that never had one holds nothing that it could be measured by.
        time_ = saved_ == 0 ? wall.micros : saved_;
    }
    const auto passed = followed_at_ == 0 ? kAtStart : 2 * (at - followed_at_);
    // Kept when the wall clock is behind it: that may be what is wrong.
    time_ = std::max(time_, std::min(wall.micros, std::max(time_ + passed, oldest_kept.micros)));
    const bool first = followed_at_ == 0;
    followed_at_ = std::max<std::int64_t>(at, 1);
    if (first || std::abs(time_ - saved_) >= kSavedEvery) {
        SQLite::Statement keep(database,
                               "INSERT OR REPLACE INTO retention_clock(one, time) VALUES(1, ?)");
        keep.bind(1, time_);
        keep.exec();
        saved_ = time_;
    }
    return std::min(Timestamp{time_}, wall);
}

}  // namespace snakepit::shm
