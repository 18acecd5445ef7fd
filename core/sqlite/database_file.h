// SPDX-License-Identifier: MIT
// Common to the writers of events.db, metrics.db, host_history.db and origins.db.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
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

// A writer's connection, and what belongs to its file. One thread at a time has it: SQLite needs no
// lock of its own. All but moved() throw SQLite::Exception; call them guarded.
class DatabaseWriter {
  public:
    // Opens the database, or creates it for its owner only.
    explicit DatabaseWriter(std::string path);

    // Sets up a write-ahead log that stays when the database is closed, so that readers without
    // write permission can open it. Returns the version of its schema; 0: it is new.
    // `newest`: the last schema that is known here. `shrinks`: pages of removed rows may be
    // returned to the file system, by "PRAGMA incremental_vacuum".
    int prepare_log(int newest, bool shrinks);
    // The same, and runs `create()` in one transaction, which creates what is missing of the
    // schema.
    template <typename Create>
    void prepare(int newest, Create create) {
        (void)prepare_log(newest, true);
        SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
        create();
        set_schema(newest);
        transaction.commit();
        note_log();
    }
    void set_schema(int version);
    // Remembers the log beside the file, when it is there.
    void note_log() { log_ = log_files(path); }

    // The path leads to another file, or to none, or the log beside it does: readers may not see
    // what was written last. Costs a few stat() calls.
    bool moved();
    // Bytes that rows and indexes take in the file; pages that removed rows left are used again and
    // do not count, nor does the write-ahead log.
    std::uint64_t used_bytes();

    const std::string path;
    SQLite::Database database;

  private:
    LogFiles log_;
};

// Renames a damaged database with its log; returns the new path.
Result<std::string> set_aside(const std::string& path);

// Removes the log of an unlinked database: a new database must not read an old log, and readers of
// the old one must not see the new one's index.
void remove_orphaned_log(const std::string& path);

}  // namespace snakepit::shm
