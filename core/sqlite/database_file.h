// SPDX-License-Identifier: MIT
// Common to the writers of events.db and metrics.db.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>

#include "base/result.h"
#include "sqlite/guarded.h"

namespace snakepit::shm {

// corruption_detected: the file is not a database, or is damaged; database_unavailable: anything
// else that prevents writing.
Error explain_database(const std::string& path, const SQLite::Exception& exception);
template <typename Work>
auto guarded(const std::string& path, Work work) {
    return guarded(
        path, [&](const SQLite::Exception& exception) { return explain_database(path, exception); },
        work);
}

// Sets up a write-ahead log that stays when the database is closed, so that readers without write
// permission can open it. Throws if the file cannot be written.
void prepare_log(SQLite::Database& database);

// The path leads to another file, or to none, or the log beside it does: readers may not see what
// was written last. `log`: log_files() when it was opened.
bool has_moved(SQLite::Database& database, const std::string& path, const LogFiles& log);

// Renames a damaged database with its log; returns the new path.
Result<std::string> set_aside(const std::string& path);

// Removes the log of an unlinked database: a new database must not read an old log, and readers of
// the old one must not see the new one's index.
void remove_orphaned_log(const std::string& path);

}  // namespace snakepit::shm
