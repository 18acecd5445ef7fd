// SPDX-License-Identifier: MIT
#include "audit/history_page.h"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "events/audit_tables.h"

namespace snakepit::shm {

namespace {

std::string_view bytes_of(const SQLite::Column& column) {
    return {static_cast<const char*>(column.getBlob()),
            static_cast<std::size_t>(column.getBytes())};
}

void add_value(RowDigest& digest, const SQLite::Column& column) {
    if (column.isInteger())
        digest.add(column.getInt64());
    else if (column.isText())
        digest.add(bytes_of(column));
    else if (column.isBlob())
        digest.add_blob(bytes_of(column));
    else if (column.isFloat())
        digest.add_real(column.getDouble());
    else
        digest.add_null();
}

ChainedRow row_of(RowDigest& digest, SQLite::Statement& statement) {
    constexpr int kColumns = 10, kTime = 3, kKind = 4, kDetail = 9, kChain = 10;
    ChainedRow row;
    row.seq = statement.getColumn(0).getInt64();
    digest.begin_values();
    for (int i = 1; i < kColumns; ++i) add_value(digest, statement.getColumn(i));
    row.values = digest.values();
    row.chain = digest_of(statement.getColumn(kChain));
    row.unchained = statement.getColumn(kChain).isNull();
    row.time = {statement.getColumn(kTime).getInt64()};
    row.kind = statement.getColumn(kKind).getString();
    row.detail = statement.getColumn(kDetail).getString();
    return row;
}

std::int64_t single(SQLite::Database& database, const char* sql) {
    return database.execAndGet(sql).getInt64();
}

HistoryPage read(SQLite::Database& database, std::int64_t after, int limit) {
    HistoryPage page;
    RowDigest digest;
    const SQLite::Transaction moment(database);
    SQLite::Statement rows(
        database, fmt::format("SELECT {}, chain FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
                              kChainedColumns));
    rows.bind(1, after);
    rows.bind(2, limit);
    while (rows.executeStep()) page.rows.push_back(row_of(digest, rows));
    page.last = page.rows.size() < static_cast<std::size_t>(limit);
    SQLite::Statement checkpoints(
        database,
        fmt::format("SELECT {} FROM checkpoints WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
                    kCheckpointColumns));
    checkpoints.bind(1, after);
    checkpoints.bind(2,
                     page.last ? std::numeric_limits<std::int64_t>::max() : page.rows.back().seq);
    while (checkpoints.executeStep()) {
        auto checkpoint = checkpoint_of(checkpoints).value_or(Checkpoint{});  // that is not genuine
        checkpoint.at.seq = checkpoints.getColumn(0).getInt64();
        page.checkpoints.push_back(std::move(checkpoint));
    }
    page.newest_checkpoint = single(database, "SELECT ifnull(max(seq), 0) FROM checkpoints");
    page.highest_seq =
        single(database, "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'");
    return page;
}

}  // namespace

Result<HistoryPage> read_history(ReadConnection& connection, std::int64_t after, int limit) {
    return connection.run([&](SQLite::Database& database) { return read(database, after, limit); });
}

Result<bool> has_history(ReadConnection& connection) {
    return connection.run([](SQLite::Database& database) {
        return database.tableExists("checkpoints") &&
               single(database,
                      "SELECT count(*) FROM pragma_table_info('events') WHERE name = 'chain'") > 0;
    });
}

}  // namespace snakepit::shm
