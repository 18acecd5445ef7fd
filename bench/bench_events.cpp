// SPDX-License-Identifier: MIT
#include <sqlite3.h>

#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/ids.h"
#include "events/event_database.h"
#include "events/event_reader.h"
#include "events/event_recorder.h"
#include "harness.h"
#include "layout/event_kind.h"
#include "peer_process.h"

namespace snakepit::shm::bench {

namespace {

using namespace layout;

constexpr std::int64_t kRows = 30'000;  // fits the ring
constexpr int kBatch = 1000;
constexpr int kPatienceMs = 60'000;
constexpr std::uint64_t kFirstId = 1'700'000'000'000'000, kRandom = 0x0123456789abcdef;

struct Ring {
    SharedMemory memory{RegistryOffsets::end};
    EventRing ring{RegistryView<std::byte>(memory.data())};

    EventEntry next() const {
        EventEntry entry{};
        entry.kind = static_cast<std::uint16_t>(EventKind::allocated);
        entry.slot = 1;
        entry.id_micros = kFirstId + ring.head() % 100;  // a hundred regions
        entry.id_random = kRandom;
        entry.pid = 4711;
        entry.value = 1 << 20;
        std::memcpy(entry.text, "python3", 7);
        return entry;
    }
};

double rate(std::int64_t start) {
    return kRows * 1e9 / static_cast<double>(monotonic_nanos() - start);
}

using Raw = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

Raw open_raw(const std::string& path) {
    sqlite3* raw = nullptr;
    sqlite3_open(path.c_str(), &raw);
    return {raw, &sqlite3_close};
}

// Rows a second with the plain C interface, into a database of the same schema.
double raw_rate(const std::string& path) {
    if (!EventDatabase::open(path, 1)) return 0;
    const auto raw = open_raw(path);
    const auto run = [&](const char* sql) {
        sqlite3_exec(raw.get(), sql, nullptr, nullptr, nullptr);
    };
    run("PRAGMA mmap_size=0; PRAGMA journal_size_limit=16777216; PRAGMA synchronous=NORMAL;"
        "PRAGMA wal_autocheckpoint=3000");
    sqlite3_stmt* insert = nullptr;
    sqlite3_prepare_v2(
        raw.get(),
        "INSERT INTO events(epoch, ring_seq, time, kind, region_id, pid, uid, result, detail) "
        "VALUES(?1, ?2, ?3, 'allocated', ?4, 4711, 0, 'ok', "
        "'{\"size\":1048576,\"process\":\"python3\"}')",
        -1, &insert, nullptr);
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> finalizer(insert,
                                                                               &sqlite3_finalize);
    const auto start = monotonic_nanos();
    for (int i = 1; i <= kRows; ++i) {
        if (i % kBatch == 1) run("BEGIN IMMEDIATE");
        const auto id = RegionId{kFirstId + static_cast<unsigned>(i % 100), kRandom}.str();
        sqlite3_bind_int64(insert, 1, 1);
        sqlite3_bind_int64(insert, 2, i);
        sqlite3_bind_int64(insert, 3, start);
        sqlite3_bind_text(insert, 4, id.c_str(), static_cast<int>(id.size()), SQLITE_STATIC);
        sqlite3_step(insert);
        sqlite3_reset(insert);
        if (i % kBatch == 0) run("COMMIT");
    }
    return rate(start);
}

// As in the manager: chained and signed.
EventRecorder::Audit signed_by_a_new_key(const std::string& path) {
    auto key = SigningKey::generate();
    if (!key) return {};
    return {std::make_shared<const SigningKey>(std::move(*key)), path + ".head"};
}

// For a running recorder: opening the database is not measured on either side.
double recorder_rate(const std::string& path) {
    Ring source;
    EventRecorder recorder(source.ring, 1, path, signed_by_a_new_key(path));
    source.ring.append(source.next());
    if (!recorder.flush(kPatienceMs)) return 0;
    const auto start = monotonic_nanos();
    for (int i = 0; i < kRows; ++i) source.ring.append(source.next());
    return recorder.flush(kPatienceMs) ? rate(start) : 0;
}

// A history of `rows` events of a thousand regions, in turn. By SQLite alone and without waiting
// for the disk: the recorder would take minutes.
Status make_history(const std::string& path, int rows) {
    SHM_TRY(EventDatabase::open(path, 1));  // the schema
    const auto raw = open_raw(path);
    const auto run = [&](const std::string& sql) {
        return sqlite3_exec(raw.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK;
    };
    bool made =
        run("PRAGMA synchronous=OFF; PRAGMA cache_size=-500000;"
            "CREATE TEMP TABLE region(n INTEGER PRIMARY KEY, id TEXT)");
    for (unsigned i = 0; i < 1'000; ++i)
        made = made && run(fmt::format("INSERT INTO region VALUES({}, '{}')", i,
                                       RegionId{kFirstId + i, kRandom}.str()));
    constexpr int kPart = 100'000;
    for (int first = 1; first <= rows; first += kPart)
        made = made && run(fmt::format(
                           "WITH RECURSIVE c(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM c WHERE "
                           "i < {}) INSERT INTO events(epoch, ring_seq, time, kind, region_id, "
                           "pid, uid, result, detail) SELECT 1, i, i, 'references', region.id, "
                           "4711, 0, 'ok', '{{\"count\":1,\"holders\":1}}' FROM c "
                           "CROSS JOIN region ON region.n = i % 1000",
                           first, first + kPart - 1));
    if (!made) return fail(ErrorCode::database_unavailable, sqlite3_errmsg(raw.get()));
    return {};
}

// The time to read the last thousand events of one region, in milliseconds.
Result<double> query_history(const std::string& path, int rows) {
    SHM_TRY(make_history(path, rows));
    SHM_ASSIGN(auto reader, EventReader::open(path));
    EventQuery query;
    query.region_id = RegionId{kFirstId + 7, kRandom}.str();
    query.newest_first = true;
    std::vector<double> millis;
    for (int i = 0; i < 9; ++i) {
        const auto start = monotonic_nanos();
        SHM_ASSIGN(const auto found, reader.query(query));
        if (found.size() != static_cast<std::size_t>(std::min(1'000, rows / 1'000)))
            return fail(ErrorCode::corruption_detected, "rows are missing from the history");
        millis.push_back(static_cast<double>(monotonic_nanos() - start) / 1e6);
    }
    return median(std::move(millis));
}

}  // namespace

void measure_history(Report& report) {
    const TemporaryDirectory directory;
    const int rows = report.options().quick ? 500'000 : 10'000'000;
    const auto millis = query_history(directory.path("history.db"), rows);
    if (!millis) return report.skip("the history of a region", millis.error());
    report.add({fmt::format("last 1,000 events of a region among {} rows", rows), "budget", "ms", 5,
                *millis, 1});
}

void measure_events(Report& report) {
    const TemporaryDirectory directory;
    {
        Ring source;
        const auto path = directory.path("producer.db");
        EventRecorder recorder(source.ring, 1, path, signed_by_a_new_key(path));
        const auto entry = source.next();
        // Once around the ring first, because the first access to each page is slow.
        for (std::uint32_t i = 0; i < kRingEntries; ++i) source.ring.append(entry);
        const auto append = [&] {
            recorder.flush(kPatienceMs);
            return nanos_each(5000, [&] {
                source.ring.append(entry);
                recorder.wake();
            });
        };
        const auto pair = interleaved(
            report.options().rounds(), [] { return 100.0; }, append);
        report.add(
            {"lifecycle event, the producer's side", "budget", "ns", pair.floor, pair.ours, 1});
    }
    int n = 0;
    const auto next = [&] { return directory.path(fmt::format("{}.db", n++)); };
    const auto pair = interleaved(
        report.options().quick ? 3 : 9, [&] { return raw_rate(next()); },
        [&] { return recorder_rate(next()); });
    report.add({"recorder, indexed", "SQLite's C interface, batches of 1,000", "rows/s", pair.floor,
                pair.ours, 0.8, true});
}

}  // namespace snakepit::shm::bench
