// SPDX-License-Identifier: MIT
#include "alerts/alert_rows.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <iterator>

namespace snakepit::shm {

namespace {

constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::int64_t kKept = 30LL * 24 * kHour;
constexpr int kMostKept = 10'000;

template <typename T>
std::int64_t whole(T value) {
    return static_cast<std::int64_t>(value);
}

// The column `told`: which notification of an alert was handed to the receivers.
enum Told : int { kNone = 0, kFiring = 1, kResolved = 2 };

// Executes the statement with these values.
template <typename... T>
void execute(SQLite::Statement& statement, const T&... values) {
    statement.reset();
    int index = 0;
    (..., statement.bind(++index, values));
    statement.exec();
}

}  // namespace

void write_rows(SQLite::Database& database, const AlertBatch& batch) {
    SQLite::Statement alert(database,
                            "INSERT INTO alerts(id, rule, subject, fired_at, resolved_at, told, "
                            "alert) VALUES(?1,?2,?3,?4,?5,0,?6) ON CONFLICT(id) DO UPDATE SET "
                            "resolved_at=?5, alert=?6");
    for (const auto& one : batch.alerts)
        execute(alert, whole(one.id), one.rule, one.subject, whole(one.fired_at.micros),
                whole(one.resolved_at.micros), to_json(one));
    SQLite::Statement told(database, "UPDATE alerts SET told=? WHERE id=?");
    for (const auto& mark : batch.notified)
        for (const auto id : mark.ids)
            execute(told, static_cast<int>(mark.resolved ? kResolved : kFiring), whole(id));
    SQLite::Statement rule(database, "INSERT OR REPLACE INTO alert_rules(name, rule) VALUES(?,?)");
    for (const auto& one : batch.rules) execute(rule, one.name, to_json(one));
    SQLite::Statement removed(database, "DELETE FROM alert_rules WHERE name=?");
    for (const auto& name : batch.removed_rules) execute(removed, name);
    SQLite::Statement silence(
        database, "INSERT OR REPLACE INTO alert_silences(id, silence, ended) VALUES(?,?,0)");
    for (const auto& one : batch.silences) execute(silence, whole(one.id), to_json(one));
    // The row stays, so that no id is used twice.
    SQLite::Statement ended(database, "UPDATE alert_silences SET ended=1 WHERE id=?");
    for (const auto id : batch.ended_silences) execute(ended, whole(id));
    SQLite::Statement position(
        database,
        "INSERT OR REPLACE INTO alert_position(one, epoch, seq, wall_shift) VALUES(1,?,?,?)");
    if (batch.position)
        execute(position, whole(batch.position->epoch), whole(batch.position->seq),
                batch.position->wall_shift);
}

namespace {

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

void load_alerts(SQLite::Database& database, AlertSnapshot& stored) {
    SQLite::Statement rows(database, "SELECT alert, told FROM alerts WHERE resolved_at=0");
    while (rows.executeStep()) {
        auto alert = parse_alert(rows.getColumn(0).getString());
        if (!alert)
            stored.note = alert.error().message;
        else
            stored.firing.push_back({std::move(*alert), rows.getColumn(1).getInt() != kNone});
    }
    SQLite::Statement ended(database, "SELECT alert FROM alerts WHERE resolved_at>? AND told=?");
    ended.bind(1, whole(now().micros - kHour));
    ended.bind(2, static_cast<int>(kFiring));
    read_rows(ended, parse_alert, stored.pending_resolved, stored.note);
    SQLite::Statement recent(
        database, "SELECT rule, subject, fired_at FROM alerts WHERE fired_at>? ORDER BY fired_at");
    recent.bind(1, whole(now().micros - kHour));
    while (recent.executeStep())
        stored.recent.push_back({recent.getColumn(0).getString(),
                                 recent.getColumn(1).getString(),
                                 {recent.getColumn(2).getInt64()}});
    stored.last_alert = static_cast<std::uint64_t>(
        database.execAndGet("SELECT IFNULL(MAX(id),0) FROM alerts").getInt64());
    stored.last_silence = static_cast<std::uint64_t>(
        database.execAndGet("SELECT IFNULL(MAX(id),0) FROM alert_silences").getInt64());
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void AlertBatch::add(AlertBatch later) {
    append(alerts, later.alerts);
    append(notified, later.notified);
    append(rules, later.rules);
    append(removed_rules, later.removed_rules);
    append(silences, later.silences);
    append(ended_silences, later.ended_silences);
    if (later.position) position = later.position;
}

AlertSnapshot read_snapshot(SQLite::Database& database) {
    AlertSnapshot stored;
    load_alerts(database, stored);
    SQLite::Statement rules(database, "SELECT rule FROM alert_rules ORDER BY name");
    read_rows(rules, parse_rule, stored.rules, stored.note);
    SQLite::Statement silences(database,
                               "SELECT silence FROM alert_silences WHERE ended=0 ORDER BY id");
    read_rows(silences, parse_silence, stored.silences, stored.note);
    SQLite::Statement position(database, "SELECT epoch, seq, wall_shift FROM alert_position");
    if (position.executeStep())
        stored.position = {static_cast<std::uint64_t>(position.getColumn(0).getInt64()),
                           static_cast<std::uint64_t>(position.getColumn(1).getInt64()),
                           position.getColumn(2).getInt64()};
    return stored;
}

std::vector<Alert> read_history(SQLite::Database& database, const HistoryQuery& query) {
    SQLite::Statement rows(database,
                           "SELECT alert FROM alerts WHERE (?1=0 OR id<?1) AND (?2='' OR "
                           "rule=?2) AND (?3='' OR subject=?3) AND fired_at>=?4 "
                           "ORDER BY id DESC LIMIT ?5");
    rows.bind(1, whole(query.before));
    rows.bind(2, query.rule);
    rows.bind(3, query.subject);
    rows.bind(4, whole(query.since.micros));
    rows.bind(5, whole(query.limit + 1));
    std::vector<Alert> out;
    std::string note;
    read_rows(rows, parse_alert, out, note);
    return out;
}

void remove_old(SQLite::Database& database, RetentionClock& clock, Timestamp at) {
    const auto oldest =
        database.execAndGet("SELECT min(resolved_at) FROM alerts WHERE resolved_at>0");
    at = clock.follow(database, at, oldest.isNull() ? at : Timestamp{oldest.getInt64() + kKept});
    SQLite::Statement old(database, "DELETE FROM alerts WHERE resolved_at>0 AND resolved_at<?");
    execute(old, whole(at.micros - kKept));
    SQLite::Statement many(database,
                           "DELETE FROM alerts WHERE resolved_at>0 AND id<=(SELECT id FROM "
                           "alerts ORDER BY id DESC LIMIT 1 OFFSET ?)");
    execute(many, kMostKept);
}

}  // namespace snakepit::shm
