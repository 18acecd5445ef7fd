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
#include "events/guarded.h"

namespace snakepit::shm {

namespace {

constexpr int kBusyMillis = 1000;  // readers wait only while the log is being recovered

using Connection = std::unique_ptr<SQLite::Database>;

Error unavailable(const std::string& path, std::string_view why) {
    return make_error(
        ErrorCode::database_unavailable, fmt::format("{}: {}", path, why),
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
    // The last thousand events of one region may lie in as many pages; asked again, they are here.
    connection->exec("PRAGMA cache_size=-16384");
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
    ~Private() { replace(nullptr); }
    Status connect_again();
    void replace(Connection fresh);
    bool stale() const;
    std::vector<EventRow> select(const EventQuery& query);

    std::string path;
    std::mutex swap;        // held while `connection` changes, and by interrupt()
    Connection connection;  // null: to be opened by the next query
    bool immutable = false;
    LogFiles log;
};

// A database that nobody has open and that we may not write beside can be read only as immutable,
// which is right as long as there is no log: no manager runs.
Status EventReader::Private::connect_again() {
    replace(nullptr);  // first: connections of one process share what they know of the index
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored))
        return fail(unavailable(path, "there is no event database"));
    int code = SQLITE_OK;
    const auto attempt = [&](bool as_immutable) {
        const auto explain = [&](const SQLite::Exception& exception) {
            code = exception.getErrorCode() & 0xFF;
            return unavailable(path, exception.what());
        };
        return guarded(path, explain, [&] { return connect(path, as_immutable); });
    };
    auto fresh = attempt(false);
    const bool alone =
        !fresh && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY) && !has_log(path);
    if (alone) fresh = attempt(true);
    if (!fresh) return fail(std::move(fresh).error());
    replace(std::move(*fresh));
    immutable = alone;
    log = log_files(path);
    return {};
}

bool EventReader::Private::stale() const {
    // An immutable connection would not see that a manager came and wrote.
    if (!connection || immutable) return true;
    int moved = 0;
    sqlite3_file_control(connection->getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved != 0 || log_files(path) != log;
}

void EventReader::Private::replace(Connection fresh) {
    const std::lock_guard lock(swap);
    const IndexGuard guard;
    connection = std::move(fresh);
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
    const auto explain = [&](const SQLite::Exception& exception) {
        if (exception.getErrorCode() == SQLITE_INTERRUPT)
            return make_error(ErrorCode::timeout, "the query was interrupted",
                              "ask for less at a time");
        return unavailable(d_->path, exception.what());
    };
    for (bool last_attempt = false;; last_attempt = true) {
        if (d_->stale()) SHM_TRY(d_->connect_again());
        auto rows = guarded(d_->path, explain, [&] { return d_->select(query); });
        if (rows || rows.error().code == ErrorCode::timeout) return rows;
        d_->replace(nullptr);
        // Once more with a fresh connection: the file may have been replaced while we read it.
        if (last_attempt) return rows;
    }
}

void EventReader::interrupt() {
    const std::lock_guard lock(d_->swap);
    if (d_->connection) sqlite3_interrupt(d_->connection->getHandle());
}

}  // namespace snakepit::shm
