// SPDX-License-Identifier: MIT
#include "diagnostics/database_copy.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>

#include "base/units.h"
#include "events/event_schema.h"
#include "sqlite/read_connection.h"

namespace snakepit::shm {

namespace {

constexpr int kCopyBusyMillis = 2000;
// In the header of a database file: the journal mode, 2 with a write-ahead log.
constexpr std::size_t kWriteVersion = 18, kReadVersion = 19;

std::unique_ptr<SQLite::Database> in_memory() {
    return std::make_unique<SQLite::Database>(":memory:",
                                              SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
}

// The bytes of a database file without a log.
std::string bytes_of(SQLite::Database& database) {
    sqlite3_int64 size = 0;
    const std::unique_ptr<unsigned char, void (*)(void*)> bytes(
        sqlite3_serialize(database.getHandle(), "main", &size, 0), sqlite3_free);
    if (!bytes) throw SQLite::Exception("not enough memory for a copy", SQLITE_NOMEM);
    std::string out(reinterpret_cast<const char*>(bytes.get()), static_cast<std::size_t>(size));
    if (out.size() > kReadVersion) out[kWriteVersion] = out[kReadVersion] = 1;
    return out;
}

// Copies every row of `from` into the table, unchanged.
std::int64_t pour(SQLite::Statement& from, SQLite::Database& into, const std::string& table) {
    std::string places = "?1";
    for (int i = 2; i <= from.getColumnCount(); ++i) places += fmt::format(",?{}", i);
    SQLite::Statement insert(into, fmt::format("INSERT INTO {} VALUES({})", table, places));
    std::int64_t rows = 0;
    for (; from.executeStep(); ++rows) {
        for (int i = 0; i < from.getColumnCount(); ++i) {
            const auto column = from.getColumn(i);
            if (column.isInteger())
                insert.bind(i + 1, column.getInt64());
            else if (column.isFloat())
                insert.bind(i + 1, column.getDouble());
            else if (column.isBlob())
                insert.bind(i + 1, column.getBlob(), column.getBytes());
            else if (column.isNull())
                insert.bind(i + 1);
            else
                insert.bind(i + 1, column.getString());
        }
        insert.exec();
        insert.reset();
    }
    return rows;
}

DatabaseCopied newest(SQLite::Database& from, std::int64_t events) {
    const auto into = in_memory();
    prepare_schema(*into, 0);
    SQLite::Transaction filling(*into);
    const SQLite::Transaction moment(from);
    const bool chained = from.tableExists("checkpoints");
    SQLite::Statement rows(
        from, fmt::format("SELECT seq, epoch, ring_seq, time, kind, region_id, pid, uid, result, "
                          "detail, {} FROM events ORDER BY seq DESC LIMIT ?1",
                          chained ? "chain" : "NULL"));
    rows.bind(1, events);
    DatabaseCopied out;
    out.rows = pour(rows, *into, "events");
    if (chained) {
        SQLite::Statement checkpoints(
            from, "SELECT seq, chain, time, reason, signature FROM checkpoints WHERE seq >= ?1");
        checkpoints.bind(1, into->execAndGet("SELECT ifnull(min(seq), 0) FROM events").getInt64());
        pour(checkpoints, *into, "checkpoints");
    }
    filling.commit();
    out.bytes = bytes_of(*into);
    return out;
}

}  // namespace

Result<DatabaseCopied> copy_events(const std::string& path, std::int64_t events) {
    ReadConnection connection(path, kEventDatabase);
    return connection.run([&](SQLite::Database& from) { return newest(from, events); });
}

Result<DatabaseCopied> copy_database(const std::string& path, std::uint64_t most) {
    std::error_code unknown;
    if (const auto size = std::filesystem::file_size(path, unknown); !unknown && size > most)
        return fail(
            ErrorCode::size_exceeds_limit,
            fmt::format("{} has {}, more than {}", path, format_size(size), format_size(most)));
    const auto explain = [&](const SQLite::Exception& failure) {
        return make_error(ErrorCode::database_unavailable,
                          fmt::format("{} cannot be copied: {}", path, failure.what()));
    };
    return guarded(path, explain, [&] {
        SQLite::Database from(path, SQLite::OPEN_READONLY, kCopyBusyMillis);
        const auto into = in_memory();
        auto* copying = sqlite3_backup_init(into->getHandle(), "main", from.getHandle(), "main");
        if (!copying) throw SQLite::Exception(into->getHandle());
        const int status = sqlite3_backup_step(copying, -1);
        sqlite3_backup_finish(copying);
        if (status != SQLITE_DONE) throw SQLite::Exception(sqlite3_errstr(status), status);
        return DatabaseCopied{bytes_of(*into), 0};
    });
}

}  // namespace snakepit::shm
