// SPDX-License-Identifier: MIT
#include "host_history/history_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "events/retention_clock.h"
#include "host_history/history_rows.h"
#include "host_history/history_schema.h"
#include "sqlite/database_file.h"

namespace snakepit::shm {

namespace {

// The part of a table that is removed at once when the database is too large.
constexpr std::int64_t kPartRemoved = 8;

constexpr auto kTables =
    "CREATE TABLE IF NOT EXISTS names(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
    " name TEXT NOT NULL, UNIQUE(kind, name));"
    "CREATE TABLE IF NOT EXISTS segments(identity TEXT PRIMARY KEY, payer TEXT NOT NULL,"
    " program TEXT NOT NULL) WITHOUT ROWID;";

std::string tables_of(const HostResolution& resolution) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS surveys_{0}(time INTEGER PRIMARY KEY, surveys REAL NOT NULL,"
        " processes REAL, unreadable REAL, bytes REAL, most_bytes REAL, segments REAL,"
        " left_bytes REAL, left_segments REAL);"
        "CREATE TABLE IF NOT EXISTS usage_{0}(time INTEGER, name INTEGER, bytes REAL,"
        " most_bytes REAL, segments REAL, left_bytes REAL, left_segments REAL,"
        " PRIMARY KEY(time, name)) WITHOUT ROWID;",
        resolution.suffix);
}

void bind_usage(SQLite::Statement& statement, int first, const UsageTotal& usage) {
    for (const auto value :
         {usage.bytes, usage.most_bytes, usage.segments, usage.left_bytes, usage.left_segments})
        statement.bind(first++, value);
}

UsageTotal usage_in(SQLite::Statement& row, int first) {
    UsageTotal out;
    for (auto* value :
         {&out.bytes, &out.most_bytes, &out.segments, &out.left_bytes, &out.left_segments})
        *value = row.getColumn(first++).getDouble();
    return out;
}

}  // namespace

std::vector<HostTotals> read_rows(SQLite::Database& database, const HostResolution& resolution,
                                  std::int64_t from, std::int64_t to) {
    std::vector<HostTotals> out;
    SQLite::Statement surveys(
        database,
        fmt::format("SELECT time, surveys, processes, unreadable, bytes, most_bytes, segments,"
                    " left_bytes, left_segments FROM surveys_{} WHERE time >= ?1 AND time < ?2"
                    " ORDER BY time",
                    resolution.suffix));
    surveys.bind(1, from);
    surveys.bind(2, to);
    while (surveys.executeStep()) {
        auto& row = out.emplace_back();
        row.time = {surveys.getColumn(0).getInt64()};
        row.surveys = surveys.getColumn(1).getDouble();
        row.processes = surveys.getColumn(2).getDouble();
        row.unreadable = surveys.getColumn(3).getDouble();
        row.all = usage_in(surveys, 4);
    }
    SQLite::Statement usage(
        database,
        fmt::format("SELECT time, kind, names.name, bytes, most_bytes, segments, left_bytes,"
                    " left_segments FROM usage_{} AS u JOIN names ON names.id = u.name"
                    " WHERE time >= ?1 AND time < ?2 ORDER BY time, bytes DESC, names.name",
                    resolution.suffix));
    usage.bind(1, from);
    usage.bind(2, to);
    for (std::size_t at = 0; usage.executeStep();) {
        const auto time = usage.getColumn(0).getInt64();
        while (at < out.size() && out[at].time.micros < time) ++at;
        const auto kind = static_cast<std::size_t>(usage.getColumn(1).getInt64());
        if (at == out.size() || out[at].time.micros != time || kind >= kTotalsBy.size()) continue;
        auto total = usage_in(usage, 3);
        total.name = usage.getColumn(2).getString();
        out[at].by[kind].push_back(std::move(total));
    }
    return out;
}

void read_segments(SQLite::Database& database, Timestamp seen, SegmentMemory& memory) {
    SQLite::Statement rows(database, "SELECT identity, payer, program FROM segments");
    while (rows.executeStep())
        memory.put(rows.getColumn(0).getString(),
                   {rows.getColumn(1).getString(), rows.getColumn(2).getString(), seen, false});
}

struct HistoryStore::Private : DatabaseWriter {
    using DatabaseWriter::DatabaseWriter;
    void create();
    std::int64_t id_of(std::size_t kind, const std::string& name);
    void write(const HostResolution& resolution, std::int64_t time, const HostTotals& totals);
    bool remove_before(std::size_t resolution, std::int64_t time);
    bool remove_oldest();
    void remove_unused_names();
    Timestamp retention_time();

    RetentionClock retention;
};

void HistoryStore::Private::create() {
    database.exec(kTables);
    for (const auto& resolution : kHostResolutions) database.exec(tables_of(resolution));
}

std::int64_t HistoryStore::Private::id_of(std::size_t kind, const std::string& name) {
    const auto bind = [&](SQLite::Statement& statement) {
        statement.bind(1, static_cast<std::int64_t>(kind));
        statement.bind(2, name);
    };
    SQLite::Statement known(database, "SELECT id FROM names WHERE kind = ?1 AND name = ?2");
    bind(known);
    if (known.executeStep()) return known.getColumn(0).getInt64();
    SQLite::Statement fresh(database, "INSERT INTO names(kind, name) VALUES(?1, ?2)");
    bind(fresh);
    fresh.exec();
    return database.getLastInsertRowid();
}

void HistoryStore::Private::write(const HostResolution& resolution, std::int64_t time,
                                  const HostTotals& totals) {
    SQLite::Statement survey(
        database, fmt::format("INSERT OR REPLACE INTO surveys_{} VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                              resolution.suffix));
    survey.bind(1, time);
    survey.bind(2, totals.surveys);
    survey.bind(3, totals.processes);
    survey.bind(4, totals.unreadable);
    bind_usage(survey, 5, totals.all);
    survey.exec();
    SQLite::Statement remove(database,
                             fmt::format("DELETE FROM usage_{} WHERE time = ?", resolution.suffix));
    remove.bind(1, time);
    remove.exec();
    SQLite::Statement insert(
        database,
        fmt::format("INSERT INTO usage_{} VALUES(?, ?, ?, ?, ?, ?, ?)", resolution.suffix));
    for (std::size_t kind = 0; kind < totals.by.size(); ++kind)
        for (const auto& total : totals.by[kind]) {
            insert.bind(1, time);
            insert.bind(2, id_of(kind, total.name));
            bind_usage(insert, 3, total);
            insert.exec();
            insert.reset();
        }
}

bool HistoryStore::Private::remove_before(std::size_t resolution, std::int64_t time) {
    bool removed = false;
    for (const auto* table : {"usage", "surveys"}) {
        SQLite::Statement statement(database,
                                    fmt::format("DELETE FROM {}_{} WHERE time < ?1", table,
                                                kHostResolutions[resolution].suffix));
        statement.bind(1, time);
        removed = statement.exec() > 0 || removed;
    }
    return removed;
}

// A part of the finest table with more rows than the incomplete row of the next one.
bool HistoryStore::Private::remove_oldest() {
    for (std::size_t i = 0; i < kHostResolutions.size(); ++i) {
        SQLite::Statement extent(
            database,
            fmt::format("SELECT min(time), max(time) FROM surveys_{}", kHostResolutions[i].suffix));
        extent.executeStep();
        if (extent.getColumn(0).isNull()) continue;
        const auto first = extent.getColumn(0).getInt64(), last = extent.getColumn(1).getInt64();
        extent.reset();
        const auto& next = kHostResolutions[std::min(i + 1, kHostResolutions.size() - 1)];
        const auto cut =
            std::min(begin_of(last, next), begin_of(first + (last - first) / kPartRemoved, next) +
                                               next.seconds * kMicrosPerSecond);
        if (remove_before(i, cut)) return true;
    }
    return false;
}

void HistoryStore::Private::remove_unused_names() {
    std::string text = "DELETE FROM names WHERE true";
    for (const auto& resolution : kHostResolutions)
        text += fmt::format(" AND id NOT IN (SELECT name FROM usage_{})", resolution.suffix);
    database.exec(text);
}

Timestamp HistoryStore::Private::retention_time() {
    const auto at = now();
    auto kept = at;
    for (const auto& resolution : kHostResolutions) {
        const auto oldest =
            database.execAndGet(fmt::format("SELECT min(time) FROM surveys_{}", resolution.suffix));
        if (!oldest.isNull())
            kept =
                std::min(kept, Timestamp{oldest.getInt64() + resolution.keep * kMicrosPerSecond});
    }
    return retention.follow(database, at, kept);
}

HistoryStore::HistoryStore(std::unique_ptr<Private> d) : d_(std::move(d)) {}
HistoryStore::HistoryStore(HistoryStore&&) noexcept = default;
HistoryStore& HistoryStore::operator=(HistoryStore&&) noexcept = default;
HistoryStore::~HistoryStore() {
    const IndexGuard guard;  // closing writes the log back
    d_.reset();
}

Result<HistoryStore> HistoryStore::open(const std::string& path) {
    return guarded(path, [&] {
        auto d = std::make_unique<Private>(path);
        d->prepare(kHostHistorySchemaVersion, [&] { d->create(); });
        return HistoryStore(std::move(d));
    });
}

Status HistoryStore::add(const HostTotals& totals) {
    return guarded(d_->path, [&] {
        SQLite::Transaction transaction(d_->database, SQLite::TransactionBehavior::IMMEDIATE);
        d_->write(kHostResolutions[0], begin_of(totals.time.micros, kHostResolutions[0]), totals);
        for (std::size_t i = 1; i < kHostResolutions.size(); ++i) {
            const auto& resolution = kHostResolutions[i];
            const auto begin = begin_of(totals.time.micros, resolution);
            const auto rows = read_rows(d_->database, kHostResolutions[i - 1], begin,
                                        begin + resolution.seconds * kMicrosPerSecond);
            d_->write(resolution, begin, merged(rows));
        }
        transaction.commit();
    });
}

Result<std::vector<HostTotals>> HistoryStore::since(Timestamp from) {
    return guarded(d_->path, [&] {
        return read_rows(d_->database, kHostResolutions[0], from.micros,
                         std::numeric_limits<std::int64_t>::max());
    });
}

Status HistoryStore::load(SegmentMemory& memory, Timestamp seen) {
    return guarded(d_->path, [&] { read_segments(d_->database, seen, memory); });
}

Status HistoryStore::save(SegmentMemory& memory, const std::vector<std::string>& forgotten) {
    return guarded(d_->path, [&] {
        SQLite::Transaction transaction(d_->database, SQLite::TransactionBehavior::IMMEDIATE);
        SQLite::Statement remove(d_->database, "DELETE FROM segments WHERE identity = ?");
        for (const auto& identity : forgotten) {
            remove.bind(1, identity);
            remove.exec();
            remove.reset();
        }
        auto saved = static_cast<std::size_t>(
            d_->database.execAndGet("SELECT count(*) FROM segments").getInt64());
        SQLite::Statement insert(d_->database, "INSERT OR REPLACE INTO segments VALUES(?, ?, ?)");
        for (auto& [identity, what] : memory.segments()) {
            if (!what.changed || saved >= kMostSegments) continue;
            insert.bind(1, identity);
            insert.bind(2, what.group);
            insert.bind(3, what.program);
            insert.exec();
            insert.reset();
            ++saved;
        }
        transaction.commit();
        for (auto& [identity, what] : memory.segments()) what.changed = false;
    });
}

Status HistoryStore::retain(std::uint64_t max_bytes) {
    return guarded(d_->path, [&] {
        SQLite::Transaction transaction(d_->database, SQLite::TransactionBehavior::IMMEDIATE);
        const auto at = d_->retention_time();
        bool removed = false;
        for (std::size_t i = 0; i < kHostResolutions.size(); ++i) {
            const auto& next = kHostResolutions[std::min(i + 1, kHostResolutions.size() - 1)];
            const auto cut =
                begin_of(at.micros - kHostResolutions[i].keep * kMicrosPerSecond, next);
            removed = d_->remove_before(i, cut) || removed;
        }
        while (d_->used_bytes() > max_bytes && d_->remove_oldest()) removed = true;
        if (removed) d_->remove_unused_names();
        transaction.commit();
        if (removed) d_->database.exec("PRAGMA incremental_vacuum");
    });
}

std::uint64_t HistoryStore::bytes() const {
    return guarded(d_->path, [&] { return d_->used_bytes(); }).value_or(0);
}

bool HistoryStore::moved() const {
    return d_->moved();
}

}  // namespace snakepit::shm
