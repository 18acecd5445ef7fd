// SPDX-License-Identifier: MIT
#include "diagnostics/plain_tables.h"

namespace snakepit::shm {

bool only_plain_tables(SQLite::Database& database) {
    database.exec("PRAGMA trusted_schema=OFF");
    const auto none = [&](const char* what) { return database.execAndGet(what).getInt() == 0; };
    return none(
               "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index') OR "
               "ifnull(rootpage, 0) <= 0") &&
           none(
               "SELECT count(*) FROM sqlite_schema AS entry, pragma_table_xinfo(entry.name) AS "
               "shown WHERE entry.type = 'table' AND shown.hidden <> 0");
}

}  // namespace snakepit::shm
