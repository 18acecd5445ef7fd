// SPDX-License-Identifier: MIT
// What every writer of a database of ours does about its file: events.db and metrics.db.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

#include "base/result.h"
#include "events/guarded.h"

namespace snakepit::shm {

// corruption_detected: it is no database, or a damaged one; database_unavailable: anything else
// that prevents writing.
Error explain_database(const std::string& path, const SQLite::Exception& exception);

// A write-ahead log that stays when the database is closed, so that readers without write
// permission can open it. Throws when the file may not be written.
void prepare_log(SQLite::Database& database);

// The path leads to another file, or to none, or the log beside it does: what was written last is
// perhaps not in the database that readers see. `log`: as log_files() was when it was opened.
bool has_moved(SQLite::Database& database, const std::string& path, const LogFiles& log);

// Renames a damaged database with what belongs to it; answers its new path.
Result<std::string> set_aside(const std::string& path);

// Removes what an unlinked database left beside its path: an old log must not meet a new database,
// nor must readers of the old one see the new one's index.
void remove_orphaned_log(const std::string& path);

}  // namespace snakepit::shm
