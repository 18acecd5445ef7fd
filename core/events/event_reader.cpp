// SPDX-License-Identifier: MIT
#include "events/event_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "events/event_schema.h"
#include "sqlite/read_connection.h"

namespace snakepit::shm {

namespace {

std::string any_kind_of(const std::vector<EventKind>& kinds) {
    std::string names;
    for (const auto kind : kinds)
        names += fmt::format("{}'{}'", names.empty() ? "" : ", ", to_string(kind));
    return fmt::format(" AND kind IN ({})", names);
}

std::string word_parameter(std::size_t number) {
    return fmt::format(":word{}", number);
}

std::string where_clause(const EventQuery& query) {
    std::string where = "WHERE seq > :after";
    if (query.before_seq > 0) where += " AND seq < :before";
    if (query.region_id) where += " AND region_id = :region";
    if (query.kind) where += " AND kind = :kind";
    if (!query.kinds.empty()) where += any_kind_of(query.kinds);
    if (query.uid) where += " AND uid = :uid";
    if (query.since) where += " AND time >= :since";
    if (query.until) where += " AND time < :until";
    for (std::size_t i = 0; i < query.words.size(); ++i)
        where += fmt::format(
            " AND instr(lower(coalesce(region_id, '') || ' ' || kind || ' ' || coalesce(pid, '') "
            "|| ' ' || coalesce(result, '') || ' ' || coalesce(detail, '')), {}) > 0",
            word_parameter(i));
    return where;
}

void bind(SQLite::Statement& statement, const EventQuery& query) {
    statement.bind(":after", query.after_seq);
    if (query.before_seq > 0) statement.bind(":before", query.before_seq);
    if (query.region_id) statement.bind(":region", *query.region_id);
    if (query.kind) statement.bind(":kind", std::string(to_string(*query.kind)));
    if (query.uid) statement.bind(":uid", *query.uid);
    if (query.since) statement.bind(":since", query.since->micros);
    if (query.until) statement.bind(":until", query.until->micros);
    for (std::size_t i = 0; i < query.words.size(); ++i)
        statement.bind(word_parameter(i), query.words[i]);
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
    explicit Private(const std::string& path) : connection(path, kEventDatabase) {}
    ReadConnection connection;
};

EventReader::EventReader(std::unique_ptr<Private> d) : d_(std::move(d)) {}
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;
EventReader::~EventReader() = default;

Result<EventReader> EventReader::open(const std::string& path) {
    auto d = std::make_unique<Private>(path);
    SHM_TRY(d->connection.open());
    return EventReader(std::move(d));
}

Result<std::vector<EventRow>> EventReader::query(const EventQuery& query) {
    return d_->connection.run([&](SQLite::Database& database) {
        SQLite::Statement statement(
            database,
            fmt::format("SELECT seq, epoch, ring_seq, time, kind, region_id, pid, uid, result, "
                        "detail FROM events {} ORDER BY seq {} LIMIT :limit",
                        where_clause(query), query.newest_first ? "DESC" : "ASC"));
        bind(statement, query);
        std::vector<EventRow> rows;
        while (statement.executeStep()) rows.push_back(row_of(statement));
        return rows;
    });
}

void EventReader::interrupt() {
    d_->connection.interrupt();
}

}  // namespace snakepit::shm
