// SPDX-License-Identifier: MIT
#include "telemetry/metrics_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "events/retention_clock.h"
#include "layout/metrics.h"
#include "sqlite/database_file.h"
#include "telemetry/metrics_schema.h"

namespace snakepit::shm {

namespace {

// The part of a table that is removed at once when the database is too large, so that not every
// batch removes rows.
constexpr std::int64_t kPartRemoved = 8;

std::string insert_text() {
    std::string columns = "time", values = "?1";
    int index = 1;
    for (const auto& metric : metrics()) {
        columns += ", " + column_of(metric.name);
        values += fmt::format(", ?{}", ++index);
    }
    return fmt::format("INSERT OR REPLACE INTO {}({}) VALUES({})", kResolutions[0].table, columns,
                       values);
}

// One row of `to` from those of the finer `from` between ?1 and ?2. A metric that some rows do not
// have is the average of the others.
std::string roll_up_text(const Resolution& from, const Resolution& to) {
    const bool finest = &from == &kResolutions[0];
    std::string columns = "time, n";
    std::string values = finest ? "?1, count(*)" : "?1, sum(n)";
    for (const auto& metric : metrics()) {
        const auto name = column_of(metric.name);
        const auto low = column_of(metric.name, "_min"), high = column_of(metric.name, "_max");
        columns += fmt::format(", {}, {}, {}", name, low, high);
        if (finest)
            values += fmt::format(", avg({0}), min({0}), max({0})", name);
        else
            values += fmt::format(", sum({0} * n) / sum(n * ({0} IS NOT NULL)), min({1}), max({2})",
                                  name, low, high);
    }
    return fmt::format(
        "INSERT OR REPLACE INTO {}({}) SELECT {} FROM {} WHERE time >= ?1 AND time < ?2 "
        "HAVING count(*) > 0",
        to.table, columns, values, from.table);
}

}  // namespace

struct MetricsStore::Private : DatabaseWriter {
    using DatabaseWriter::DatabaseWriter;
    void create();
    void prepare_table(const Resolution& resolution);
    void insert(const layout::Sample& sample);
    void roll_up(std::set<std::int64_t> times);
    bool remove_before(std::size_t resolution, std::int64_t time);
    bool remove_oldest();

    std::optional<SQLite::Statement> insert_statement;
    std::vector<SQLite::Statement> roll_ups;  // to each resolution but the first
    RetentionClock retention;
};

void MetricsStore::Private::prepare_table(const Resolution& resolution) {
    const bool finest = &resolution == &kResolutions[0];
    database.exec(fmt::format("CREATE TABLE IF NOT EXISTS {}(time INTEGER PRIMARY KEY{})",
                              resolution.table, finest ? "" : ", n INTEGER NOT NULL"));
    std::set<std::string> there;
    SQLite::Statement columns(
        database, fmt::format("SELECT name FROM pragma_table_info('{}')", resolution.table));
    while (columns.executeStep()) there.insert(columns.getColumn(0).getString());
    for (const auto& metric : metrics())
        for (const std::string_view end : {"", "_min", "_max"}) {
            if (finest && !end.empty()) continue;
            if (there.contains(std::string(metric.name) + std::string(end))) continue;
            database.exec(fmt::format("ALTER TABLE {} ADD COLUMN {} REAL", resolution.table,
                                      column_of(metric.name, end)));
        }
}

void MetricsStore::Private::create() {
    for (const auto& resolution : kResolutions) prepare_table(resolution);
    insert_statement.emplace(database, insert_text());
    for (std::size_t i = 1; i < kResolutions.size(); ++i)
        roll_ups.emplace_back(database, roll_up_text(kResolutions[i - 1], kResolutions[i]));
}

void MetricsStore::Private::insert(const layout::Sample& sample) {
    auto& statement = *insert_statement;
    statement.bind(1, sample.time);
    int index = 1;
    for (const auto& metric : metrics()) statement.bind(++index, metric.value(sample));
    statement.exec();
    statement.reset();
}

// `times`: of rows of the finest table that are new.
void MetricsStore::Private::roll_up(std::set<std::int64_t> times) {
    for (std::size_t i = 1; i < kResolutions.size(); ++i) {
        const auto seconds = kResolutions[i].seconds;
        std::set<std::int64_t> rows;
        for (const auto time : times) rows.insert(begin_of(time, seconds));
        auto& statement = roll_ups[i - 1];
        for (const auto row : rows) {
            statement.bind(1, row);
            statement.bind(2, row + seconds * kMicrosPerSecond);
            statement.exec();
            statement.reset();
        }
        times = std::move(rows);
    }
}

bool MetricsStore::Private::remove_before(std::size_t resolution, std::int64_t time) {
    SQLite::Statement statement(
        database, fmt::format("DELETE FROM {} WHERE time < ?1", kResolutions[resolution].table));
    statement.bind(1, time);
    return statement.exec() > 0;
}

// A part of the finest table with more rows than the incomplete row of the next one.
bool MetricsStore::Private::remove_oldest() {
    for (std::size_t i = 0; i < kResolutions.size(); ++i) {
        SQLite::Statement extent(
            database,
            fmt::format("SELECT count(*), min(time), max(time) FROM {}", kResolutions[i].table));
        extent.executeStep();
        if (extent.getColumn(0).getInt64() == 0) continue;
        const auto first = extent.getColumn(1).getInt64(), last = extent.getColumn(2).getInt64();
        extent.reset();
        const auto next = kResolutions[std::min(i + 1, kResolutions.size() - 1)].seconds;
        const auto cut =
            std::min(begin_of(last, next), begin_of(first + (last - first) / kPartRemoved, next) +
                                               next * kMicrosPerSecond);
        if (remove_before(i, cut)) return true;
    }
    return false;
}

MetricsStore::MetricsStore(std::unique_ptr<Private> d) : d_(std::move(d)) {}
MetricsStore::MetricsStore(MetricsStore&&) noexcept = default;
MetricsStore& MetricsStore::operator=(MetricsStore&&) noexcept = default;
MetricsStore::~MetricsStore() {
    const IndexGuard guard;  // closing writes the log back
    d_.reset();
}

Result<MetricsStore> MetricsStore::open(const std::string& path) {
    return guarded(path, [&] {
        auto d = std::make_unique<Private>(path);
        d->prepare(kMetricsSchemaVersion, [&] { d->create(); });
        return MetricsStore(std::move(d));
    });
}

Result<Timestamp> MetricsStore::newest() const {
    return guarded(d_->path, [&] {
        return Timestamp{
            d_->database.execAndGet(fmt::format("SELECT max(time) FROM {}", kResolutions[0].table))
                .getInt64()};
    });
}

Status MetricsStore::add(std::span<const layout::Sample> samples) {
    return guarded(d_->path, [&] {
        SQLite::Transaction transaction(d_->database, SQLite::TransactionBehavior::IMMEDIATE);
        std::set<std::int64_t> times;
        for (const auto& sample : samples) {
            d_->insert(sample);
            times.insert(sample.time);
        }
        d_->roll_up(std::move(times));
        transaction.commit();
    });
}

Result<Timestamp> MetricsStore::retention_time() {
    return guarded(d_->path, [&] {
        const auto at = now();
        auto kept = at;
        for (const auto& resolution : kResolutions) {
            const auto oldest =
                d_->database.execAndGet(fmt::format("SELECT min(time) FROM {}", resolution.table));
            if (!oldest.isNull())
                kept = std::min(kept,
                                Timestamp{oldest.getInt64() + resolution.keep * kMicrosPerSecond});
        }
        return d_->retention.follow(d_->database, at, kept);
    });
}

Status MetricsStore::retain(Timestamp now, std::uint64_t max_bytes) {
    return guarded(d_->path, [&] {
        SQLite::Transaction transaction(d_->database, SQLite::TransactionBehavior::IMMEDIATE);
        bool removed = false;
        for (std::size_t i = 0; i < kResolutions.size(); ++i) {
            const auto next = kResolutions[std::min(i + 1, kResolutions.size() - 1)].seconds;
            const auto cut = begin_of(now.micros - kResolutions[i].keep * kMicrosPerSecond, next);
            removed = d_->remove_before(i, cut) || removed;
        }
        while (d_->used_bytes() > max_bytes && d_->remove_oldest()) removed = true;
        transaction.commit();
        if (removed) d_->database.exec("PRAGMA incremental_vacuum");
    });
}

std::uint64_t MetricsStore::bytes() const {
    return guarded(d_->path, [&] { return d_->used_bytes(); }).value_or(0);
}

bool MetricsStore::moved() const {
    return d_->moved();
}

}  // namespace snakepit::shm
