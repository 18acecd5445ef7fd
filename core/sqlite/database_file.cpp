// SPDX-License-Identifier: MIT
#include "sqlite/database_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "base/handle.h"
#include "base/time.h"

namespace snakepit::shm {

namespace fs = std::filesystem;

namespace {

// The inode, if the file has at least `smallest` bytes.
std::uint64_t inode_of(const std::string& path, off_t smallest) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && info.st_size >= smallest ? info.st_ino : 0;
}

// Nobody else may read it at any moment; SQLite gives its log the same mode. What is there is not
// opened here: closing a second descriptor would drop SQLite's locks.
const std::string& created(const std::string& path) {
    const Handle made(
        ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    return path;
}

constexpr int kWriterBusyMillis = 200;  // short: the end of a recorder waits for it

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

DatabaseWriter::DatabaseWriter(std::string name)
    : path(std::move(name)),
      database(created(path), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX,
               kWriterBusyMillis) {}

int DatabaseWriter::prepare_log(int newest, bool shrinks) {
    const int version = database.execAndGet("PRAGMA user_version").getInt();
    if (version > newest)
        throw SQLite::Exception(fmt::format("created by a newer release (schema {})", version),
                                SQLITE_ERROR);
    // Before the first table.
    if (version == 0 && shrinks) database.exec("PRAGMA auto_vacuum=INCREMENTAL");
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
    return version;
}

void DatabaseWriter::set_schema(int version) {
    database.exec(fmt::format("PRAGMA user_version={}", version));
}

bool DatabaseWriter::moved() {
    int moved = 0;
    sqlite3_file_control(database.getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0 || log_files(path) != log_;
}

std::uint64_t DatabaseWriter::used_bytes() {
    const auto ask = [&](const char* what) {
        return static_cast<std::uint64_t>(database.execAndGet(what).getInt64());
    };
    return (ask("PRAGMA page_count") - ask("PRAGMA freelist_count")) * ask("PRAGMA page_size");
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
