// SPDX-License-Identifier: MIT
#include "alerts/alert_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/stat.h>

#include <iterator>

#include <fmt/format.h>

#include "events/guarded.h"
#include "events/retention_clock.h"

namespace snakepit::shm {

namespace {

constexpr int kBusyMillis = 2000;
constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::int64_t kKept = 30LL * 24 * kHour;
constexpr int kMostKept = 10'000;
constexpr auto kSchema =
    "CREATE TABLE IF NOT EXISTS alerts(id INTEGER PRIMARY KEY, rule TEXT NOT NULL, subject TEXT "
    "NOT "
    "NULL, fired_at INTEGER NOT NULL, resolved_at INTEGER NOT NULL, told INTEGER NOT NULL, alert "
    "TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS alerts_by_end ON alerts(resolved_at);"
    "CREATE TABLE IF NOT EXISTS alert_rules(name TEXT PRIMARY KEY, rule TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS alert_silences(id INTEGER PRIMARY KEY, silence TEXT NOT NULL, "
    "ended "
    "INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS alert_position(one INTEGER PRIMARY KEY CHECK(one = 1), epoch "
    "INTEGER "
    "NOT NULL, seq INTEGER NOT NULL, wall_shift INTEGER NOT NULL DEFAULT 0)";
constexpr auto kAddShift =
    "ALTER TABLE alert_position ADD COLUMN wall_shift INTEGER NOT NULL DEFAULT 0";

template <typename T>
std::int64_t whole(T value) {
    return static_cast<std::int64_t>(value);
}

// What `told` says of an alert.
enum Told : int { kNobody = 0, kFires = 1, kEnd = 2 };

void write_alert(SQLite::Statement& insert, const Alert& alert) {
    insert.reset();
    insert.bind(1, whole(alert.id));
    insert.bind(2, alert.rule);
    insert.bind(3, alert.subject);
    insert.bind(4, whole(alert.fired_at.micros));
    insert.bind(5, whole(alert.resolved_at.micros));
    insert.bind(6, to_json(alert));
    insert.exec();
}

void write_told(SQLite::Database& database, const TellingMark& mark) {
    SQLite::Statement told(database, "UPDATE alerts SET told=? WHERE id=?");
    for (const auto id : mark.ids) {
        told.reset();
        told.bind(1, mark.resolved ? kEnd : kFires);
        told.bind(2, whole(id));
        told.exec();
    }
}

void write_rows(SQLite::Database& database, const AlertBatch& batch) {
    SQLite::Statement alert(database,
                            "INSERT INTO alerts(id, rule, subject, fired_at, resolved_at, told, "
                            "alert) VALUES(?1,?2,?3,?4,?5,0,?6) ON CONFLICT(id) DO UPDATE SET "
                            "resolved_at=?5, alert=?6");
    for (const auto& one : batch.alerts) write_alert(alert, one);
    for (const auto& mark : batch.told) write_told(database, mark);
    SQLite::Statement rule(database, "INSERT OR REPLACE INTO alert_rules(name, rule) VALUES(?,?)");
    for (const auto& one : batch.rules) {
        rule.reset();
        rule.bind(1, one.name);
        rule.bind(2, to_json(one));
        rule.exec();
    }
    SQLite::Statement removed(database, "DELETE FROM alert_rules WHERE name=?");
    for (const auto& name : batch.removed_rules) {
        removed.reset();
        removed.bind(1, name);
        removed.exec();
    }
    SQLite::Statement silence(
        database, "INSERT OR REPLACE INTO alert_silences(id, silence, ended) VALUES(?,?,0)");
    for (const auto& one : batch.silences) {
        silence.reset();
        silence.bind(1, whole(one.id));
        silence.bind(2, to_json(one));
        silence.exec();
    }
    // The row stays, so that no number is given out twice.
    SQLite::Statement ended(database, "UPDATE alert_silences SET ended=1 WHERE id=?");
    for (const auto id : batch.ended_silences) {
        ended.reset();
        ended.bind(1, whole(id));
        ended.exec();
    }
    if (!batch.position) return;
    SQLite::Statement position(
        database,
        "INSERT OR REPLACE INTO alert_position(one, epoch, seq, wall_shift) VALUES(1,?,?,?)");
    position.bind(1, whole(batch.position->epoch));
    position.bind(2, whole(batch.position->seq));
    position.bind(3, batch.position->wall_shift);
    position.exec();
}

// Rows that cannot be read are left out and named.
template <typename T, typename Parse>
void read_rows(SQLite::Statement& rows, Parse parse, std::vector<T>& out, std::string& note) {
    while (rows.executeStep()) {
        auto one = parse(rows.getColumn(0).getString());
        if (one)
            out.push_back(std::move(*one));
        else
            note = one.error().message;
    }
}

void load_alerts(SQLite::Database& database, AlertMemory& memory) {
    SQLite::Statement rows(database, "SELECT alert, told FROM alerts WHERE resolved_at=0");
    while (rows.executeStep()) {
        auto alert = parse_alert(rows.getColumn(0).getString());
        if (!alert)
            memory.note = alert.error().message;
        else
            memory.firing.push_back({std::move(*alert), rows.getColumn(1).getInt() != kNobody});
    }
    SQLite::Statement ended(database, "SELECT alert FROM alerts WHERE resolved_at>? AND told=?");
    ended.bind(1, whole(now().micros - kHour));
    ended.bind(2, static_cast<int>(kFires));
    read_rows(ended, parse_alert, memory.untold_ends, memory.note);
    SQLite::Statement recent(
        database, "SELECT rule, subject, fired_at FROM alerts WHERE fired_at>? ORDER BY fired_at");
    recent.bind(1, whole(now().micros - kHour));
    while (recent.executeStep())
        memory.recent.push_back({recent.getColumn(0).getString(),
                                 recent.getColumn(1).getString(),
                                 {recent.getColumn(2).getInt64()}});
    memory.last_alert = static_cast<std::uint64_t>(
        database.execAndGet("SELECT IFNULL(MAX(id),0) FROM alerts").getInt64());
    memory.last_silence = static_cast<std::uint64_t>(
        database.execAndGet("SELECT IFNULL(MAX(id),0) FROM alert_silences").getInt64());
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void AlertBatch::add(AlertBatch later) {
    append(alerts, later.alerts);
    append(told, later.told);
    append(rules, later.rules);
    append(removed_rules, later.removed_rules);
    append(silences, later.silences);
    append(ended_silences, later.ended_silences);
    if (later.position) position = later.position;
}

struct AlertStore::Private {
    explicit Private(std::string its_path) : path(std::move(its_path)) {}

    const std::string path;
    std::optional<SQLite::Database> database;
    RetentionClock retention;

    void prepare() {
        database.emplace(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyMillis);
        retention = {};
        refuse_commits_after_faults(*database);
        database->exec("PRAGMA mmap_size=0; PRAGMA synchronous=FULL; PRAGMA journal_mode=WAL");
        database->exec(kSchema);
        if (database
                ->execAndGet("SELECT count(*) FROM pragma_table_info('alert_position') WHERE "
                             "name='wall_shift'")
                .getInt() == 0)
            database->exec(kAddShift);
        ::chmod(path.c_str(), 0600);
    }

    ~Private() { close(); }

    void close() {
        const IndexGuard guard;  // closing writes the log back
        database.reset();
    }

    template <typename Work>
    Status with(Work work) {
        const auto explain = [this](const SQLite::Exception& exception) {
            return make_error(ErrorCode::database_unavailable,
                              fmt::format("{}: {}", path, exception.what()),
                              "free space on its file system, and let the manager's user write it");
        };
        const auto done = guarded(path, explain, [&] {
            if (!database) prepare();
            work(*database);
            return true;
        });
        if (done) return {};
        if (database) keep_log_when_closed(*database);
        close();  // opened anew with the next call: the file may be another then
        return fail(done.error());
    }
};

AlertStore::AlertStore(std::string path) : d_(std::make_unique<Private>(std::move(path))) {}
AlertStore::AlertStore(AlertStore&&) noexcept = default;
AlertStore::~AlertStore() = default;

Result<AlertMemory> AlertStore::load() {
    AlertMemory memory;
    SHM_TRY(d_->with([&](SQLite::Database& database) {
        load_alerts(database, memory);
        SQLite::Statement rules(database, "SELECT rule FROM alert_rules ORDER BY name");
        read_rows(rules, parse_rule, memory.rules, memory.note);
        SQLite::Statement silences(database,
                                   "SELECT silence FROM alert_silences WHERE ended=0 ORDER BY id");
        read_rows(silences, parse_silence, memory.silences, memory.note);
        SQLite::Statement position(database, "SELECT epoch, seq, wall_shift FROM alert_position");
        if (position.executeStep())
            memory.position = {static_cast<std::uint64_t>(position.getColumn(0).getInt64()),
                               static_cast<std::uint64_t>(position.getColumn(1).getInt64()),
                               position.getColumn(2).getInt64()};
    }));
    return memory;
}

Status AlertStore::write(const AlertBatch& batch) {
    return d_->with([&](SQLite::Database& database) {
        SQLite::Transaction transaction(database);
        write_rows(database, batch);
        transaction.commit();
    });
}

Result<std::vector<Alert>> AlertStore::history(const HistoryQuery& query) {
    std::vector<Alert> out;
    SHM_TRY(d_->with([&](SQLite::Database& database) {
        SQLite::Statement rows(database,
                               "SELECT alert FROM alerts WHERE (?1=0 OR id<?1) AND (?2='' OR "
                               "rule=?2) AND (?3='' OR subject=?3) AND fired_at>=?4 "
                               "ORDER BY id DESC LIMIT ?5");
        rows.bind(1, whole(query.before));
        rows.bind(2, query.rule);
        rows.bind(3, query.subject);
        rows.bind(4, whole(query.since.micros));
        rows.bind(5, whole(query.limit + 1));
        std::string note;
        read_rows(rows, parse_alert, out, note);
    }));
    return out;
}

Status AlertStore::forget_old(Timestamp at) {
    return d_->with([&](SQLite::Database& database) {
        const auto oldest =
            database.execAndGet("SELECT min(resolved_at) FROM alerts WHERE resolved_at>0");
        at = d_->retention.follow(database, at,
                                  oldest.isNull() ? at : Timestamp{oldest.getInt64() + kKept});
        SQLite::Statement old(database, "DELETE FROM alerts WHERE resolved_at>0 AND resolved_at<?");
        old.bind(1, whole(at.micros - kKept));
        old.exec();
        SQLite::Statement many(database,
                               "DELETE FROM alerts WHERE resolved_at>0 AND id<=(SELECT id FROM "
                               "alerts ORDER BY id DESC LIMIT 1 OFFSET ?)");
        many.bind(1, kMostKept);
        many.exec();
    });
}

}  // namespace snakepit::shm
