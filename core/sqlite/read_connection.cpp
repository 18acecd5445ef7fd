// SPDX-License-Identifier: MIT
#include "sqlite/read_connection.h"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

constexpr int kReaderBusyMillis = 1000;  // readers wait only while the log is being recovered

Error absent(const std::string& path, std::string_view what) {
    return make_error(
        ErrorCode::database_unavailable,
        fmt::format("nothing was recorded yet, because the {} {} does not exist", what, path),
        "it appears when a manager of this instance first runs; check the instance's name");
}

Error unreadable(const std::string& path, std::string_view what, std::string_view why) {
    return make_error(ErrorCode::database_unavailable,
                      fmt::format("the {} {} cannot be read ({})", what, path, why),
                      "check its permissions; if it is damaged, stop the manager and move it "
                      "away, and the manager makes a new one");
}

// A database in this process's memory, named by its URI.
bool in_memory(std::string_view path) {
    return path.starts_with("file:/") && path.ends_with("?vfs=memdb");
}

// Escapes characters with a meaning in an SQLite URI.
std::string uri_of(const std::string& path) {
    if (in_memory(path)) return path;
    std::string out = "file:";
    for (char c : path) {
        if (c == '%' || c == '?' || c == '#')
            out += fmt::format("%{:02x}", static_cast<unsigned>(c));
        else
            out += c;
    }
    return out;
}

bool has_log(const std::string& path) {
    std::error_code absent;
    const auto size = std::filesystem::file_size(path + "-wal", absent);
    return !absent && size > 0;
}

}  // namespace

ReadConnection::Connection ReadConnection::connect(bool immutable) const {
    auto connection = std::make_unique<SQLite::Database>(
        uri_of(path_) + (immutable ? "?immutable=1" : ""), SQLite::OPEN_READONLY | SQLite::OPEN_URI,
        kReaderBusyMillis);
    // The last thousand events of one region may be in as many pages; a second query finds them
    // cached.
    connection->exec("PRAGMA cache_size=-16384");
    const int version = connection->execAndGet("PRAGMA user_version").getInt();
    if (version == 0 || version > kind_.newest ||
        !connection->tableExists(std::string(kind_.table)))
        throw SQLite::Exception(
            fmt::format("no {} this release can read (schema {})", kind_.what, version),
            SQLITE_ERROR);
    return connection;
}

// A database that is not open anywhere, in a directory that this user cannot write, can only be
// read as immutable. That is right while it has no log: no manager runs.
Status ReadConnection::open() {
    replace(nullptr);  // first: connections of one process share the index
    std::error_code unknown;
    if (!in_memory(path_) && !std::filesystem::exists(path_, unknown)) {
        if (unknown) return fail(unreadable(path_, kind_.what, unknown.message()));
        return fail(absent(path_, kind_.what));
    }
    int code = SQLITE_OK;
    const auto attempt = [&](bool as_immutable) {
        const auto explain = [&](const SQLite::Exception& exception) {
            code = exception.getErrorCode() & 0xFF;
            return unreadable(path_, kind_.what, exception.what());
        };
        return guarded(path_, explain, [&] { return connect(as_immutable); });
    };
    auto fresh = attempt(false);
    const bool alone = !fresh && !in_memory(path_) &&
                       (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && !has_log(path_);
    if (alone) fresh = attempt(true);
    if (!fresh) return fail(std::move(fresh).error());
    replace(std::move(*fresh));
    immutable_ = alone;
    log_ = log_files(path_);
    return {};
}

bool ReadConnection::stale() const {
    // An immutable connection would not see a manager's writes.
    if (!connection_ || immutable_) return true;
    int moved = 0;
    sqlite3_file_control(connection_->getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0 || log_files(path_) != log_;
}

void ReadConnection::replace(Connection fresh) {
    const std::lock_guard lock(swap_);
    const IndexGuard guard;
    connection_ = std::move(fresh);
}

Error ReadConnection::explain(const SQLite::Exception& exception) const {
    if (exception.getErrorCode() == SQLITE_INTERRUPT)
        return make_error(ErrorCode::timeout, "the query was interrupted",
                          "ask for less at a time");
    return unreadable(path_, kind_.what, exception.what());
}

void ReadConnection::interrupt() {
    const std::lock_guard lock(swap_);
    if (connection_) sqlite3_interrupt(connection_->getHandle());
}

}  // namespace snakepit::shm
