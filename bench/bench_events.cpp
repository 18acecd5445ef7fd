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

constexpr int kRows = 30'000;  // fits the ring
constexpr int kBatch = 1000;
constexpr int kPatienceMs = 60'000;
constexpr std::uint64_t kFirstId = 1'700'000'000'000'000, kRandom = 0x0123456789abcdef;

struct Ring {
    SharedMemory memory{RegistryOffsets::end};
    EventRing ring{RegistryView<std::byte>(memory.data())};

    EventEntry next() const { return entry(ring.head() % 100); }  // of a hundred regions
    static EventEntry entry(std::uint64_t region) {
        EventEntry entry{};
        entry.kind = static_cast<std::uint16_t>(EventKind::allocated);
        entry.slot = 1;
        entry.id_micros = kFirstId + region;
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

// Rows a second with the plain C interface, into a database of the same schema.
double raw_rate(const std::string& path) {
    if (!EventDatabase::open(path, 1)) return 0;
    sqlite3* raw = nullptr;
    sqlite3_open(path.c_str(), &raw);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> closer(raw, &sqlite3_close);
    const auto run = [&](const char* sql) { sqlite3_exec(raw, sql, nullptr, nullptr, nullptr); };
    run("PRAGMA mmap_size=0; PRAGMA journal_size_limit=16777216; PRAGMA synchronous=NORMAL");
    sqlite3_stmt* insert = nullptr;
    sqlite3_prepare_v2(
        raw,
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

double recorder_rate(const std::string& path) {
    Ring source;
    for (int i = 0; i < kRows; ++i) source.ring.append(source.next());
    const auto start = monotonic_nanos();
    EventRecorder recorder(source.ring, 1, path);
    return recorder.flush(kPatienceMs) ? rate(start) : 0;
}

// The time people wait for the last thousand events of one region, in milliseconds.
Result<double> query_history(const std::string& path, int rows) {
    constexpr int kPart = 10'000;
    std::vector<EventEntry> part(kPart);
    SHM_ASSIGN(auto database, EventDatabase::open(path, 1));
    for (int written = 0; written < rows; written += kPart) {
        for (int i = 0; i < kPart; ++i) {
            auto& entry = part[static_cast<std::size_t>(i)];
            entry = Ring::entry(static_cast<std::uint64_t>(i) % 1'000);
            entry.seq = static_cast<std::uint64_t>(written + i + 1);
        }
        SHM_TRY(database.write(part));
    }
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
    const int rows = report.options().quick ? 1'000'000 : 10'000'000;
    const auto millis = query_history(directory.path("history.db"), rows);
    if (!millis) return report.skip("the history of a region", millis.error());
    report.add({fmt::format("last 1,000 events of a region among {} rows", rows), "budget", "ms", 5,
                *millis, 1});
}

void measure_events(Report& report) {
    const TemporaryDirectory directory;
    {
        Ring source;
        EventRecorder recorder(source.ring, 1, directory.path("producer.db"));
        const auto entry = source.next();
        // Once around: the ring's pages are touched for the first time only once in their life.
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
