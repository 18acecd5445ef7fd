// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

namespace snakepit::shm {

// Whether a database of somebody else's holds tables and indexes and nothing else: a view, a
// virtual table or a column that is computed runs what its maker wrote when it is read, and may
// never end. Throws SQLite's exceptions.
bool only_plain_tables(SQLite::Database& database);

}  // namespace snakepit::shm
