// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

namespace snakepit::shm {

inline constexpr int kEventSchemaVersion = 2;  // PRAGMA user_version

// Makes the tables, or brings those of an earlier release up to date, in the caller's transaction.
// True: the rows that are there were made before there was a chain. `version`: the database's now.
// Throws SQLite::Exception.
bool prepare_schema(SQLite::Database& database, int version);

}  // namespace snakepit::shm
