// SPDX-License-Identifier: MIT
#include "origins/origin_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "platform/process.h"
#include "sqlite/database_file.h"

namespace snakepit::shm::origins {

std::string_view to_string(What what) {
    constexpr std::array<std::string_view, 5> kWords{"opened", "linked", "renamed", "removed",
                                                     "attached"};
    return kWords[static_cast<std::size_t>(what)];
}

namespace {

constexpr int kRowsRemovedAtOnce = 5000;
constexpr int kMostAnswers = 64;

// Times are microseconds, those in *_boot of the boot clock. No column needs an index but the
// primary keys: the log looks up nothing, and a survey reads everything of one boot.
constexpr auto kTables = R"(
CREATE TABLE IF NOT EXISTS runs(id INTEGER PRIMARY KEY, boot BLOB NOT NULL, started INTEGER NOT NULL,
    started_boot INTEGER NOT NULL, until_boot INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS places(run INTEGER NOT NULL, space INTEGER NOT NULL, path TEXT NOT NULL,
    since INTEGER NOT NULL, since_boot INTEGER NOT NULL, PRIMARY KEY(run, space));
CREATE TABLE IF NOT EXISTS processes(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, pid INTEGER NOT NULL,
    started INTEGER NOT NULL, uid INTEGER NOT NULL, program TEXT NOT NULL, executable TEXT NOT NULL,
    command TEXT, cgroup TEXT NOT NULL, cgroup_id INTEGER NOT NULL, pid_namespace INTEGER NOT NULL,
    seen INTEGER NOT NULL, seen_boot INTEGER NOT NULL, ended INTEGER, ended_boot INTEGER, status INTEGER);
CREATE TABLE IF NOT EXISTS segments(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, kind INTEGER NOT NULL,
    space INTEGER NOT NULL, file BLOB NOT NULL, name TEXT NOT NULL, maker INTEGER, maker_pid INTEGER NOT NULL,
    named_by_program INTEGER, made INTEGER NOT NULL, made_boot INTEGER NOT NULL, removed_boot INTEGER);
CREATE TABLE IF NOT EXISTS acts(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, process INTEGER,
    pid INTEGER NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, time INTEGER NOT NULL, time_boot INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gaps(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, space INTEGER NOT NULL,
    begin_boot INTEGER NOT NULL, end_boot INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers(pid INTEGER PRIMARY KEY, number INTEGER NOT NULL);
)";

struct Bytes {
    const std::string& text;
};

std::int64_t signed_number(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}

}  // namespace

struct OriginStore::Private : DatabaseWriter {
    using DatabaseWriter::DatabaseWriter;
    void create(const std::string& boot);
    template <typename... Values>
    void put(const char* text, const Values&... values);
    void bind(SQLite::Statement& statement, int at, std::int64_t value) {
        statement.bind(at, value);
    }
    void bind(SQLite::Statement& statement, int at, const std::string& value) {
        statement.bindNoCopy(at, value);
    }
    void bind(SQLite::Statement& statement, int at, const Bytes& value) {
        statement.bindNoCopy(at, value.text.data(), static_cast<int>(value.text.size()));
    }
    void add(const Batch& batch, Moment until);
    void add(const ProcessRow& row);
    void add(const SegmentRow& row);
    void add(const ActRow& row);
    void add(const RemovalRow& row);
    void add(const EndRow& row);
    std::int64_t removed_by(const char* text, std::int64_t value);
    std::int64_t number(const char* text) { return database.execAndGet(text).getInt64(); }

    std::vector<std::pair<const char*, std::unique_ptr<SQLite::Statement>>> statements;
    std::int64_t run = 0, process = 0, segment = 0, previous = 0, answer = 0;
};

void OriginStore::Private::create(const std::string& boot) {
    database.exec(kTables);
    SQLite::Statement before(database,
                             "SELECT coalesce(max(until_boot), 0) FROM runs WHERE boot = ?1");
    before.bindNoCopy(1, boot.data(), static_cast<int>(boot.size()));
    before.executeStep();
    previous = before.getColumn(0).getInt64();
    before.reset();
    const auto at = Moment::now();
    SQLite::Statement begin(database,
                            "INSERT INTO runs(boot, started, started_boot, until_boot) "
                            "VALUES(?1, ?2, ?3, ?3)");
    begin.bindNoCopy(1, boot.data(), static_cast<int>(boot.size()));
    begin.bind(2, at.wall.micros);
    begin.bind(3, at.boot);
    begin.exec();
    run = database.getLastInsertRowid();
    database.exec("DELETE FROM answers");
    process = number("SELECT coalesce(max(id), 0) FROM processes");
    segment = number("SELECT coalesce(max(id), 0) FROM segments");
}

template <typename... Values>
void OriginStore::Private::put(const char* text, const Values&... values) {
    auto known = std::find_if(statements.begin(), statements.end(),
                              [text](const auto& one) { return one.first == text; });
    if (known == statements.end())
        known = statements.emplace(
            known, text, std::make_unique<SQLite::Statement>(database, std::string(text)));
    auto& statement = *known->second;
    int at = 0;
    (bind(statement, ++at, values), ...);
    statement.exec();
    statement.reset();
}

void OriginStore::Private::add(const ProcessRow& row) {
    static constexpr auto* kText =
        "INSERT INTO processes(id, run, pid, started, uid, program, executable, command, cgroup, "
        "cgroup_id, pid_namespace, seen, seen_boot) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const auto& one = row.process;
    put(kText, row.id, run, one.pid, one.started, std::int64_t{one.uid}, one.program,
        one.executable, one.command, one.cgroup, signed_number(one.cgroup_id),
        signed_number(one.pid_namespace), row.seen.wall.micros, row.seen.boot);
}

void OriginStore::Private::add(const SegmentRow& row) {
    static constexpr auto* kText =
        "INSERT INTO segments(id, run, kind, space, file, name, maker, maker_pid, "
        "named_by_program, made, made_boot, removed_boot) VALUES(?, ?, ?, ?, ?, ?, nullif(?, 0), "
        "?, ?, ?, ?, nullif(?, 0))";
    put(kText, row.id, run, static_cast<std::int64_t>(row.identity.kind),
        signed_number(row.identity.space), Bytes{row.identity.file}, row.name, row.maker,
        row.maker_pid, static_cast<std::int64_t>(row.named_by_program), row.made.wall.micros,
        row.made.boot);
}

void OriginStore::Private::add(const ActRow& row) {
    static constexpr auto* kText =
        "INSERT INTO acts(segment, process, pid, what, name, time, time_boot) "
        "VALUES(?, nullif(?, 0), ?, ?, ?, ?, ?)";
    put(kText, row.segment, row.process, row.pid, std::string(to_string(row.what)), row.name,
        row.at.wall.micros, row.at.boot);
    if (row.what == What::removed) add(RemovalRow{row.segment, row.at.boot});
}

void OriginStore::Private::add(const RemovalRow& row) {
    put("UPDATE segments SET removed_boot = nullif(?2, 0) WHERE id = ?1", row.segment, row.boot);
}

void OriginStore::Private::add(const EndRow& row) {
    static constexpr auto* kEnded =
        "UPDATE processes SET ended = ?2, ended_boot = ?3 WHERE id = ?1";
    static constexpr auto* kStatus = "UPDATE processes SET status = ?2 WHERE id = ?1";
    if (row.at.boot != 0) put(kEnded, row.process, row.at.wall.micros, row.at.boot);
    if (row.status) put(kStatus, row.process, std::int64_t{*row.status});
}

void OriginStore::Private::add(const Batch& batch, Moment until) {
    static constexpr auto* kGap =
        "INSERT INTO gaps(run, space, begin_boot, end_boot, reason) VALUES(?, ?, ?, ?, ?)";
    static constexpr auto* kPlace = "INSERT OR IGNORE INTO places VALUES(?, ?, ?, ?, ?)";
    static constexpr auto* kAnswer = "INSERT OR REPLACE INTO answers VALUES(?, ?)";
    static constexpr auto* kForget = "DELETE FROM answers WHERE number <= ?";
    static constexpr auto* kUntil = "UPDATE runs SET until_boot = ?2 WHERE id = ?1";
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    for (const auto& row : batch.processes) add(row);
    for (const auto& row : batch.segments) add(row);
    for (const auto& row : batch.acts) add(row);
    for (const auto& row : batch.removals) add(row);
    for (const auto& row : batch.ends) add(row);
    for (const auto& row : batch.gaps)
        put(kGap, run, signed_number(row.space), row.begin, row.end, row.reason);
    for (const auto& row : batch.places)
        put(kPlace, run, signed_number(row.space), row.path, row.since.wall.micros, row.since.boot);
    for (const auto pid : batch.answers) put(kAnswer, pid, ++answer);
    if (!batch.answers.empty()) put(kForget, answer - kMostAnswers);
    put(kUntil, run, until.boot);
    transaction.commit();
}

std::int64_t OriginStore::Private::removed_by(const char* text, std::int64_t value) {
    SQLite::Statement statement(database, text);
    statement.bind(1, value);
    statement.bind(2, kRowsRemovedAtOnce);
    return statement.exec();
}

OriginStore::OriginStore(std::unique_ptr<Private> d) : d_(std::move(d)) {}
OriginStore::OriginStore(OriginStore&&) noexcept = default;
OriginStore& OriginStore::operator=(OriginStore&&) noexcept = default;
OriginStore::~OriginStore() {
    const IndexGuard guard;  // closing writes the log back
    d_.reset();
}

Result<OriginStore> OriginStore::open(const std::string& path, std::string& note) {
    SHM_ASSIGN(const auto boot, boot_id());
    const auto attempt = [&] {
        remove_orphaned_log(path);
        return guarded(path, [&] {
            auto d = std::make_unique<Private>(path);
            d->prepare(kSchemaVersion, [&] { d->create(boot); });
            return OriginStore(std::move(d));
        });
    };
    auto store = attempt();
    if (store || store.error().code != ErrorCode::corruption_detected) return store;
    SHM_ASSIGN(const auto aside, set_aside(path));
    note = fmt::format("{}; it was moved to {}", store.error().message, aside);
    return attempt();
}

Status OriginStore::add(const Batch& batch, Moment until) {
    return guarded(d_->path, [&] { d_->add(batch, until); });
}

Result<bool> OriginStore::retain(const StoreLimits& limits, Moment now) {
    return guarded(d_->path, [&] {
        SQLite::Transaction transaction(d_->database, SQLite::TransactionBehavior::IMMEDIATE);
        auto gone = d_->removed_by(
            "DELETE FROM segments WHERE id IN (SELECT id FROM segments WHERE removed_boot < ?1 "
            "AND run = (SELECT max(id) FROM runs) LIMIT ?2)",
            now.boot - limits.removed_for_micros);
        gone += d_->removed_by(
            "DELETE FROM segments WHERE id IN (SELECT id FROM segments WHERE run IN (SELECT id "
            "FROM runs WHERE started < ?1 AND boot <> (SELECT boot FROM runs ORDER BY id DESC "
            "LIMIT 1)) LIMIT ?2)",
            now.wall.micros - limits.boots_for_micros);
        // First what was removed, then the oldest: of those nothing is known any more.
        if (d_->used_bytes() > limits.bytes) {
            const auto removed = d_->removed_by(
                "DELETE FROM segments WHERE id IN (SELECT id FROM segments WHERE removed_boot IS "
                "NOT NULL AND id > ?1 ORDER BY id LIMIT ?2)",
                0);
            gone += removed > 0 ? removed
                                : d_->removed_by(
                                      "DELETE FROM segments WHERE id IN (SELECT id FROM segments "
                                      "WHERE id > ?1 ORDER BY id LIMIT ?2)",
                                      0);
        }
        if (gone > 0) {
            d_->database.exec("DELETE FROM acts WHERE segment NOT IN (SELECT id FROM segments)");
            d_->database.exec(
                "DELETE FROM processes WHERE ended IS NOT NULL AND id NOT IN (SELECT maker FROM "
                "segments WHERE maker IS NOT NULL UNION SELECT process FROM acts WHERE process IS "
                "NOT NULL)");
            d_->database.exec(
                "DELETE FROM runs WHERE id < (SELECT coalesce(min(run), 0) FROM segments)");
            d_->database.exec(
                "DELETE FROM places WHERE run NOT IN (SELECT id FROM runs);"
                "DELETE FROM gaps WHERE run NOT IN (SELECT id FROM runs);"
                "DELETE FROM processes WHERE run NOT IN (SELECT id FROM runs)");
        }
        transaction.commit();
        if (gone > 0) d_->database.exec("PRAGMA incremental_vacuum(2000)");
        return gone >= kRowsRemovedAtOnce;
    });
}

bool OriginStore::moved() const {
    return d_->moved();
}

std::int64_t OriginStore::run() const {
    return d_->run;
}
std::int64_t OriginStore::last_process() const {
    return d_->process;
}
std::int64_t OriginStore::last_segment() const {
    return d_->segment;
}
std::int64_t OriginStore::previous_until() const {
    return d_->previous;
}

}  // namespace snakepit::shm::origins
