// SPDX-License-Identifier: MIT
#include "sqlite/database_file.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/time.h"

namespace snakepit::shm {

namespace fs = std::filesystem;

namespace {

// The inode, if the file has at least `smallest` bytes.
std::uint64_t inode_of(const std::string& path, off_t smallest) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && info.st_size >= smallest ? info.st_ino : 0;
}

}  // namespace

Error explain_database(const std::string& path, const SQLite::Exception& exception) {
    const auto code = exception.getErrorCode() & 0xFF;
    const auto what = fmt::format("{}: {}", path, exception.what());
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        return make_error(ErrorCode::corruption_detected, what,
                          "it is set aside and a new one is created");
    const char* remedy = "check the file and its directory; recording is retried";
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        remedy = "another program holds a lock on it; end that program";
    if (code == SQLITE_FULL) remedy = "its file system is full: free space";
    if (code == SQLITE_READONLY || code == SQLITE_CANTOPEN || code == SQLITE_PERM)
        remedy = "let the manager's user write the file and its directory";
    return make_error(ErrorCode::database_unavailable, what, remedy);
}

LogFiles log_files(const std::string& path) {
    constexpr off_t kIndexUnit = 32768;  // the unit in which SQLite extends and maps the index
    return {inode_of(path + "-wal", 0), inode_of(path + "-shm", kIndexUnit)};
}

void refuse_commits_after_faults(SQLite::Database& database) {
    sqlite3_commit_hook(
        database.getHandle(), [](void*) { return FaultGuard::faulted_here() ? 1 : 0; }, nullptr);
}

void keep_log_when_closed(SQLite::Database& database) {
    sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void prepare_log(SQLite::Database& database) {
    refuse_commits_after_faults(database);
    if (sqlite3_db_readonly(database.getHandle(), "main") == 1)
        throw SQLite::Exception("attempt to write a readonly database", SQLITE_READONLY);
    int keep = 1;
    sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
    // Fewer and larger checkpoints than by default, in one page of the log's index (4,062 frames).
    database.exec(
        "PRAGMA mmap_size=0; PRAGMA journal_size_limit=16777216; PRAGMA synchronous=NORMAL;"
        "PRAGMA wal_autocheckpoint=3000");
    if (database.execAndGet("PRAGMA journal_mode=WAL").getString() != "wal")
        throw SQLite::Exception("cannot switch to a write-ahead log", SQLITE_CANTOPEN);
}

bool has_moved(SQLite::Database& database, const std::string& path, const LogFiles& log) {
    int moved = 0;
    sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0 || log_files(path) != log;
}

Result<std::string> set_aside(const std::string& path) {
    auto time = to_rfc3339(now());
    std::replace(time.begin(), time.end(), ':', '-');
    const auto target = fmt::format("{}.corrupt-{}", path, time);
    std::error_code error;
    fs::rename(path, target, error);
    if (error) return fail(system_error(error.value(), fmt::format("cannot set {} aside", path)));
    for (const auto* part : {"-wal", "-shm"}) {
        std::error_code absent;
        fs::rename(path + part, target + part, absent);
    }
    return target;
}

void remove_orphaned_log(const std::string& path) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) return;
    for (const auto* part : {"-wal", "-shm"}) fs::remove(path + part, ignored);
}

}  // namespace snakepit::shm
