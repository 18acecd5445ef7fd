// SPDX-License-Identifier: MIT
#include <sqlite3.h>

#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "base/ids.h"
#include "events/event_database.h"
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

struct Ring {
    SharedMemory memory{RegistryOffsets::end};
    EventRing ring{RegistryView<std::byte>(memory.data())};

    EventEntry entry() const {
        EventEntry entry{};
        entry.kind = static_cast<std::uint16_t>(EventKind::allocated);
        entry.slot = 1;
        entry.id_micros = 1'700'000'000'000'000 + ring.head() % 100;  // a hundred regions
        entry.id_random = 0x0123456789abcdef;
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
        const auto id =
            RegionId{1'700'000'000'000'000ULL + static_cast<unsigned>(i % 100), 0x0123456789abcdef}
                .str();
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
    for (int i = 0; i < kRows; ++i) source.ring.append(source.entry());
    const auto start = monotonic_nanos();
    EventRecorder recorder(source.ring, 1, path);
    return recorder.flush(kPatienceMs) ? rate(start) : 0;
}

}  // namespace

void measure_events(Report& report) {
    const TemporaryDirectory directory;
    {
        Ring source;
        EventRecorder recorder(source.ring, 1, directory.path("producer.db"));
        const auto entry = source.entry();
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
