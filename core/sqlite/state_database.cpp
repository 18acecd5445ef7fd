// SPDX-License-Identifier: MIT
#include "sqlite/state_database.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "sqlite/database_file.h"
#include "sqlite/guarded.h"

namespace snakepit::shm {

namespace {

constexpr int kStateBusyMillis = 2000;
constexpr auto kSchema =
    "CREATE TABLE IF NOT EXISTS policies(region_id TEXT PRIMARY KEY, policy TEXT NOT NULL, "
    "revision INTEGER NOT NULL, boot TEXT NOT NULL, changed_at INTEGER NOT NULL, "
    "changed_by_uid INTEGER NOT NULL, changed_by_pid INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS alerts(id INTEGER PRIMARY KEY, rule TEXT NOT NULL, subject TEXT "
    "NOT NULL, fired_at INTEGER NOT NULL, resolved_at INTEGER NOT NULL, told INTEGER NOT NULL, "
    "alert TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS alerts_by_end ON alerts(resolved_at);"
    "CREATE TABLE IF NOT EXISTS alert_rules(name TEXT PRIMARY KEY, rule TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS alert_silences(id INTEGER PRIMARY KEY, silence TEXT NOT NULL, "
    "ended INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS alert_position(one INTEGER PRIMARY KEY CHECK(one = 1), epoch "
    "INTEGER NOT NULL, seq INTEGER NOT NULL, wall_shift INTEGER NOT NULL DEFAULT 0)";
// Databases of earlier releases have the table without this column.
constexpr auto kHasShift =
    "SELECT count(*) FROM pragma_table_info('alert_position') WHERE name='wall_shift'";
constexpr auto kAddShift =
    "ALTER TABLE alert_position ADD COLUMN wall_shift INTEGER NOT NULL DEFAULT 0";

bool damaged(const SQLite::Exception& exception) {
    return exception.getErrorCode() == SQLITE_CORRUPT || exception.getErrorCode() == SQLITE_NOTADB;
}

Error explain(const std::string& path, const SQLite::Exception& exception) {
    return make_error(ErrorCode::database_unavailable,
                      fmt::format("{}: {}", path, exception.what()),
                      "free space on its file system, and let the manager's user write it");
}

}  // namespace

void StateDatabase::prepare() {
    database_.emplace(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kStateBusyMillis);
    ++opened_;
    refuse_commits_after_faults(*database_);
    database_->exec("PRAGMA mmap_size=0; PRAGMA journal_mode=WAL");
    database_->exec(kSchema);
    if (database_->execAndGet(kHasShift).getInt() == 0) database_->exec(kAddShift);
    ::chmod(path_.c_str(), 0600);
}

void StateDatabase::close() {
    const IndexGuard guard;  // closing writes the log back
    database_.reset();
}

Status StateDatabase::open(std::string& note) {
    const std::lock_guard lock(mutex_);
    for (const bool again : {false, true}) {
        const IndexGuard guard;
        try {
            prepare();
            // A database that is damaged further in is detected now and not at a decision.
            if (database_->execAndGet("PRAGMA quick_check(1)").getString() != "ok")
                throw SQLite::Exception("the database is damaged", SQLITE_CORRUPT);
            return {};
        } catch (const SQLite::Exception& exception) {
            database_.reset();
            if (again || guard.faulted() || !damaged(exception))
                return fail(explain(path_, exception));
            SHM_ASSIGN(const auto kept, set_aside(path_));
            note = fmt::format("{} was damaged and is now {}", path_, kept);
        }
    }
    return {};
}

Status StateDatabase::run(const std::function<void(SQLite::Database&)>& work, bool lasting) {
    const std::lock_guard lock(mutex_);
    auto done = guarded(
        path_, [this](const SQLite::Exception& exception) { return explain(path_, exception); },
        [&] {
            if (!database_) prepare();
            database_->exec(lasting ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
            work(*database_);
        });
    if (done) return done;
    if (database_) keep_log_when_closed(*database_);
    close();  // opened again by the next call, because the file may be another then
    return done;
}

}  // namespace snakepit::shm
