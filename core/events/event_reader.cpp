// SPDX-License-Identifier: MIT
#include "events/event_reader.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>

#include <fmt/format.h>

#include "events/event_database.h"

namespace snakepit::shm {

namespace {

constexpr int kBusyMillis = 1000;  // readers wait only while the log is being recovered

using Connection = std::unique_ptr<SQLite::Database>;

tl::unexpected<Error> unavailable(const std::string& path, std::string_view why) {
    return fail(ErrorCode::database_unavailable, fmt::format("{}: {}", path, why),
                "it appears when a manager of this instance first runs; check the instance's name");
}

// Quotes what has a meaning in an SQLite URI.
std::string uri_of(const std::string& path) {
    std::string out = "file:";
    for (char c : path) {
        if (c == '%' || c == '?' || c == '#')
            out += fmt::format("%{:02x}", static_cast<unsigned>(c));
        else
            out += c;
    }
    return out;
}

Connection connect(const std::string& path, bool immutable) {
    auto connection =
        std::make_unique<SQLite::Database>(uri_of(path) + (immutable ? "?immutable=1" : ""),
                                           SQLite::OPEN_READONLY | SQLite::OPEN_URI, kBusyMillis);
    const int version = connection->execAndGet("PRAGMA user_version").getInt();
    if (version == 0 || version > kEventSchemaVersion || !connection->tableExists("events"))
        throw SQLite::Exception(
            fmt::format("no event database this release can read (schema {})", version),
            SQLITE_ERROR);
    return connection;
}

bool has_log(const std::string& path) {
    std::error_code absent;
    const auto size = std::filesystem::file_size(path + "-wal", absent);
    return !absent && size > 0;
}

std::string where_clause(const EventQuery& query) {
    std::string where = "WHERE seq > :after";
    if (query.before_seq > 0) where += " AND seq < :before";
    if (query.region_id) where += " AND region_id = :region";
    if (query.kind) where += " AND kind = :kind";
    if (query.since) where += " AND time >= :since";
    if (query.until) where += " AND time < :until";
    return where;
}

void bind(SQLite::Statement& statement, const EventQuery& query) {
    statement.bind(":after", query.after_seq);
    if (query.before_seq > 0) statement.bind(":before", query.before_seq);
    if (query.region_id) statement.bind(":region", *query.region_id);
    if (query.kind) statement.bind(":kind", std::string(to_string(*query.kind)));
    if (query.since) statement.bind(":since", query.since->micros);
    if (query.until) statement.bind(":until", query.until->micros);
    statement.bind(":limit", std::max(query.limit, 0));
}

EventRow row_of(SQLite::Statement& statement) {
    EventRow row;
    row.seq = statement.getColumn(0).getInt64();
    row.epoch = static_cast<std::uint64_t>(statement.getColumn(1).getInt64());
    row.ring_seq = static_cast<std::uint64_t>(statement.getColumn(2).getInt64());
    row.time = {statement.getColumn(3).getInt64()};
    row.kind = parse_event_kind(statement.getColumn(4).getString()).value_or(EventKind{});
    row.region_id = statement.getColumn(5).getString();
    row.pid = statement.getColumn(6).getInt64();
    row.uid = static_cast<std::uint32_t>(statement.getColumn(7).getInt64());
    row.result = statement.getColumn(8).getString();
    row.detail = statement.getColumn(9).getString();
    return row;
}

}  // namespace

struct EventReader::Private {
    Status connect_again();
    std::vector<EventRow> select(const EventQuery& query);

    std::string path;
    std::mutex swap;        // held while `connection` changes, and by interrupt()
    Connection connection;  // null: to be opened by the next query
    bool immutable = false;
};

// A database that nobody has open and that we may not write beside can be read only as immutable,
// which is right as long as there is no log: no manager runs.
Status EventReader::Private::connect_again() {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored))
        return unavailable(path, "there is no event database");
    Connection fresh;
    bool as_immutable = false;
    try {
        fresh = connect(path, false);
    } catch (const SQLite::Exception& first) {
        const auto code = first.getErrorCode() & 0xFF;
        if ((code != SQLITE_CANTOPEN && code != SQLITE_READONLY) || has_log(path))
            return unavailable(path, first.what());
        try {
            fresh = connect(path, true);
            as_immutable = true;
        } catch (const SQLite::Exception& second) {
            return unavailable(path, second.what());
        }
    }
    const std::lock_guard lock(swap);
    connection = std::move(fresh);
    immutable = as_immutable;
    return {};
}

std::vector<EventRow> EventReader::Private::select(const EventQuery& query) {
    SQLite::Statement statement(
        *connection,
        fmt::format("SELECT seq, epoch, ring_seq, time, kind, region_id, pid, uid, result, "
                    "detail FROM events {} ORDER BY seq {} LIMIT :limit",
                    where_clause(query), query.newest_first ? "DESC" : "ASC"));
    bind(statement, query);
    std::vector<EventRow> rows;
    while (statement.executeStep()) rows.push_back(row_of(statement));
    return rows;
}

EventReader::EventReader(std::unique_ptr<Private> d) : d_(std::move(d)) {}
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;
EventReader::~EventReader() = default;

Result<EventReader> EventReader::open(const std::string& path) {
    auto d = std::make_unique<Private>();
    d->path = path;
    SHM_TRY(d->connect_again());
    return EventReader(std::move(d));
}

Result<std::vector<EventRow>> EventReader::query(const EventQuery& query) {
    int moved = 0;
    if (d_->connection)
        sqlite3_file_control(d_->connection->getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    // An immutable connection would not see that a manager came and wrote.
    if (!d_->connection || d_->immutable || moved != 0) SHM_TRY(d_->connect_again());
    try {
        return d_->select(query);
    } catch (const SQLite::Exception& exception) {
        if (exception.getErrorCode() == SQLITE_INTERRUPT)
            return fail(ErrorCode::timeout, "the query was interrupted", "ask for less at a time");
        const std::lock_guard lock(d_->swap);
        d_->connection.reset();
        return unavailable(d_->path, exception.what());
    }
}

void EventReader::interrupt() {
    const std::lock_guard lock(d_->swap);
    if (d_->connection) sqlite3_interrupt(d_->connection->getHandle());
}

}  // namespace snakepit::shm
