// SPDX-License-Identifier: MIT
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

namespace snakepit::shm {

// Whether an untrusted database contains only tables and indexes. Reading a view, a virtual table
// or a computed column would run its author's code, which may never end. Throws SQLite's
// exceptions.
bool only_plain_tables(SQLite::Database& database);

}  // namespace snakepit::shm
