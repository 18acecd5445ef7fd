// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include "sqlite/read_connection.h"

namespace snakepit::shm {

inline constexpr int kEventSchemaVersion = 2;  // PRAGMA user_version
inline constexpr DatabaseKind kEventDatabase{"event database", "events", kEventSchemaVersion};

// Creates the tables, or updates those of an earlier release, in the caller's transaction. True:
// the existing rows are from a release without a chain. `version`: the database's. Throws
// SQLite::Exception.
bool prepare_schema(SQLite::Database& database, int version);

}  // namespace snakepit::shm
