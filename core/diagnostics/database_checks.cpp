// SPDX-License-Identifier: MIT
#include "diagnostics/database_checks.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "audit/audit_keys.h"
#include "audit/history_page.h"
#include "base/time.h"
#include "base/units.h"
#include "conditions/condition.h"
#include "diagnostics/host_facts.h"
#include "events/event_schema.h"
#include "sqlite/guarded.h"
#include "sqlite/read_connection.h"

namespace snakepit::shm {

namespace {

constexpr int kCheckBusyMillis = 2000;
constexpr int kPatienceMillis = 3000;
constexpr int kStepsBetweenLooks = 20'000;  // of SQLite's machine: some milliseconds
constexpr int kRowsDigested = 200;

int out_of_time(void* deadline) {
    return monotonic_nanos() > *static_cast<const std::int64_t*>(deadline) ? 1 : 0;
}

// The result of `PRAGMA quick_check`: "ok", or its first finding.
std::string quick_check(const std::string& path, std::int64_t deadline) {
    SQLite::Database database(path, SQLite::OPEN_READONLY, kCheckBusyMillis);
    sqlite3_progress_handler(database.getHandle(), kStepsBetweenLooks, out_of_time, &deadline);
    SQLite::Statement check(database, "PRAGMA quick_check(1)");
    return check.executeStep() ? check.getColumn(0).getString() : "no result";
}

Check broken_history(std::string what) {
    return {"audit_chain", CheckResult::problem, std::move(what),
            "'snakepit-shm audit verify' names all affected rows"};
}

// The fault in the rows up to the newest checkpoint; empty: none.
std::string fault(const HistoryPage& page, const PublicKey& key) {
    RowDigest digest;
    for (std::size_t i = 1; i < page.rows.size(); ++i) {
        const auto& before = page.rows[i - 1];
        const auto& row = page.rows[i];
        // Only the verifier can check a gap, or a row without a chain.
        if (!before.chain || row.unchained || row.seq != before.seq + 1) continue;
        if (!row.chain || digest.of(*before.chain, row.seq, row.values) != *row.chain)
            return fmt::format("event {} was changed after it was recorded", row.seq);
    }
    for (const auto& checkpoint : page.checkpoints) {
        if (!checkpoint.genuine(key))
            return fmt::format("the checkpoint at event {} was not signed by this instance",
                               checkpoint.at.seq);
        const auto row = std::find_if(page.rows.begin(), page.rows.end(), [&](const auto& each) {
            return each.seq == checkpoint.at.seq;
        });
        if (row != page.rows.end() && row->chain && *row->chain != checkpoint.at.chain)
            return fmt::format("event {} was changed after it was signed", checkpoint.at.seq);
    }
    return {};
}

}  // namespace

Check check_database(const std::string& name, const std::string& path, int patience_ms) {
    if (!std::filesystem::exists(path)) return sound(name, path + " does not exist yet");
    const auto deadline = monotonic_nanos() + std::int64_t{patience_ms} * 1'000'000;
    bool interrupted = false;
    const auto explain = [&](const SQLite::Exception& failure) {
        interrupted = failure.getErrorCode() == SQLITE_INTERRUPT;
        return make_error(ErrorCode::database_unavailable,
                          fmt::format("{} cannot be checked: {}", path, failure.what()),
                          "if this persists, stop the manager and move the file away");
    };
    const auto verdict = guarded(path, explain, [&] { return quick_check(path, deadline); });
    if (interrupted)
        return sound(name,
                     fmt::format("{}: no error in the part read within {} ms", path, patience_ms));
    if (!verdict) return problem(name, verdict.error());
    if (*verdict == "ok") return sound(name, path + " is intact");
    return {name, CheckResult::problem, fmt::format("{}: {}", path, *verdict),
            "stop the manager and move the file away; it creates a new one"};
}

Check check_database_log(const std::string& path) {
    const std::string name = "event_database_log";
    const auto facts = file_facts(path + "-wal");
    const auto& known = condition("log-growing");
    if (!facts || !known.met(facts->bytes))
        return sound(name, facts ? format_size(facts->bytes) : "none");
    return {name, CheckResult::warning,
            fmt::format("{}: {}-wal has {}", known.title, path, format_size(facts->bytes)),
            fmt::format("{}; fuser {} lists the programs", known.remedy, path)};
}

Check check_history(const InstancePaths& paths) {
    const std::string name = "audit_chain";
    if (!std::filesystem::exists(paths.events_db())) return sound(name, "no history yet");
    const auto key = read_public_key(paths.audit_public_key());
    if (!key)
        return {name, CheckResult::warning, paths.audit_public_key() + " is not readable",
                "the manager writes it again when it starts"};
    ReadConnection connection(paths.events_db(), kEventDatabase);
    const auto kept = has_history(connection);
    if (!kept) return problem(name, kept.error());
    if (!*kept)
        return {name,
                CheckResult::warning,
                "the events were recorded by a release without a signed history",
                {}};
    const auto newest = read_history(connection, std::numeric_limits<std::int64_t>::max() - 1, 1);
    if (!newest) return problem(name, newest.error());
    const auto last = newest->newest_checkpoint;
    if (last == 0) return sound(name, "nothing has been signed yet");
    const auto page =
        read_history(connection, std::max<std::int64_t>(0, last - kRowsDigested), kRowsDigested);
    if (!page) return problem(name, page.error());
    if (auto what = fault(*page, *key); !what.empty()) return broken_history(std::move(what));
    return sound(name, fmt::format("signed up to event {}; the last {} rows are unchanged", last,
                                   page->rows.size()));
}

std::vector<Check> check_databases(const InstancePaths& paths) {
    std::vector<Check> out;
    out.push_back(check_database("event_database", paths.events_db(), kPatienceMillis));
    // An unreadable database has no further checks.
    const bool readable = out.back().result == CheckResult::ok;
    if (readable && std::filesystem::exists(paths.events_db())) {
        ReadConnection connection(paths.events_db(), kEventDatabase);
        if (const auto opened = connection.open(); !opened)
            out.back() = problem("event_database", opened.error());
        else
            out.push_back(check_history(paths));
    }
    out.push_back(check_database_log(paths.events_db()));
    for (const auto* name : {"state", "metrics"}) {
        const auto path = fmt::format("{}/{}.db", paths.state_dir, name);
        if (std::filesystem::exists(path))
            out.push_back(check_database(fmt::format("{}_database", name), path, kPatienceMillis));
    }
    return out;
}

}  // namespace snakepit::shm
