// SPDX-License-Identifier: MIT
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <random>

#include <fmt/format.h>

#include "events/event_database.h"
#include "events/event_reader.h"
#include "events/region_history.h"
#include "harness.h"

namespace snakepit::shm::bench {

namespace {

constexpr std::int64_t kStart = 1'700'000'000'000'000, kStep = 1'000;  // microseconds
constexpr std::uint64_t kScatter = 0x9E3779B97F4A7C15;  // as different as random numbers
constexpr int kAlive = 2'000;                           // regions at a time
constexpr int kJumps = 20;
constexpr double kBudgetMs = 300;

struct Kind {
    const char *kind, *detail;
};
// Of each region, in turn.
constexpr std::array kLife{
    Kind{"allocated", R"({"size":1048576,"process":"python3","cleanup":"automatic"})"},
    Kind{"references",
         R"({"count":2,"holders":[{"pid":41,"process":"python3","count":2,"read_only":false}]})"},
    Kind{"references",
         R"({"count":1,"holders":[{"pid":41,"process":"python3","count":1,"read_only":false}]})"},
    Kind{"freed", R"({"size":1048576,"reason":"deallocated"})"}};

struct Event {
    std::int64_t region;
    const Kind* kind;
};

// Event number `i`: the k-th of a region comes k * kAlive regions after its first.
Event event_at(std::int64_t i) {
    const auto part = i % static_cast<std::int64_t>(kLife.size());
    const auto turn = i / static_cast<std::int64_t>(kLife.size());
    return {turn - part * kAlive / static_cast<std::int64_t>(kLife.size() - 1),
            &kLife[static_cast<std::size_t>(part)]};
}

// By SQLite alone and without waiting for the disk: the recorder would take minutes.
Status make_events(const std::string& path, std::int64_t rows) {
    SHM_TRY(EventDatabase::open(path, 1));  // the schema
    sqlite3* raw = nullptr;
    sqlite3_open(path.c_str(), &raw);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database(raw, &sqlite3_close);
    sqlite3_exec(raw, "PRAGMA synchronous=OFF; PRAGMA cache_size=-500000; BEGIN", nullptr, nullptr,
                 nullptr);
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(raw,
                       "INSERT INTO events(epoch, ring_seq, time, kind, region_id, pid, uid, "
                       "result, detail) VALUES(1, ?1, ?2, ?3, ?4, 4711, 0, 'ok', ?5)",
                       -1, &statement, nullptr);
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> insert(statement,
                                                                            &sqlite3_finalize);
    for (std::int64_t i = 0; i < rows; ++i) {
        const auto event = event_at(i);
        if (event.region < 0) continue;  // before the first one
        const auto number = static_cast<std::uint64_t>(event.region);
        const auto id = RegionId{kStart + number, number * kScatter}.str();
        sqlite3_bind_int64(statement, 1, i + 1);
        sqlite3_bind_int64(statement, 2, kStart + i * kStep);
        sqlite3_bind_text(statement, 3, event.kind->kind, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 4, id.c_str(), static_cast<int>(id.size()), SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, event.kind->detail, -1, SQLITE_STATIC);
        if (sqlite3_step(statement) != SQLITE_DONE) break;
        sqlite3_reset(statement);
    }
    if (sqlite3_exec(raw, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK)
        return fail(ErrorCode::database_unavailable, sqlite3_errmsg(raw));
    return {};
}

// The time to the state at `moment`, in milliseconds.
Result<double> jump(RegionHistory& history, Timestamp moment) {
    const auto start = monotonic_nanos();
    SHM_ASSIGN(const auto past,
               history.at(moment, std::nullopt, [](std::int64_t) { return true; }));
    if (!past.recorded || past.regions.size() < kAlive / 2)
        return fail(ErrorCode::corruption_detected, "regions are missing from the past");
    return static_cast<double>(monotonic_nanos() - start) / 1e6;
}

// The first one reads everything; the longest of those after it.
Result<Pair> measure_jumps(const std::string& path, std::int64_t rows) {
    SHM_TRY(make_events(path, rows));
    SHM_ASSIGN(auto reader, EventReader::open(path));
    RegionHistory history([&reader](const EventQuery& query) { return reader.query(query); });
    std::mt19937_64 random(1);
    const auto moment = [&] {
        const auto from = rows / 20;  // where all regions of a moment are recorded
        return Timestamp{kStart + (from + static_cast<std::int64_t>(
                                              random() % static_cast<std::uint64_t>(rows - from))) *
                                      kStep};
    };
    Pair out;
    SHM_ASSIGN(out.floor, jump(history, moment()));
    for (int i = 0; i < kJumps; ++i) {
        SHM_ASSIGN(const auto millis, jump(history, moment()));
        out.ours = std::max(out.ours, millis);
    }
    return out;
}

}  // namespace

void measure_time_travel(Report& report) {
    const TemporaryDirectory directory;
    const int rows = report.options().quick ? 500'000 : 10'000'000;
    const auto jumps = measure_jumps(directory.path("past.db"), rows);
    if (!jumps) return report.skip("the regions at a recorded moment", jumps.error());
    std::printf("the first look into %d events took %.1f s\n", rows, jumps->floor / 1000);
    report.add(
        {fmt::format("regions at a recorded moment among {} events, longest of {}", rows, kJumps),
         "budget", "ms", kBudgetMs, jumps->ours, 1});
}

}  // namespace snakepit::shm::bench
