// SPDX-License-Identifier: MIT
#include <QDir>
#include <QtTest>

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>

#include "event_fixture.h"
#include "events/event_recorder.h"

using namespace snakepit::shm;
using namespace snakepit::shm::testing;
namespace fs = std::filesystem;

namespace {

constexpr int kPatienceMs = 60'000;

using Connection = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;

Connection open_sqlite(const std::string& path) {
    sqlite3* raw = nullptr;
    sqlite3_open(path.c_str(), &raw);
    return {raw, &sqlite3_close};
}

bool run(const Connection& connection, const char* sql) {
    return sqlite3_exec(connection.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

void fill_with_garbage(const std::string& path, std::streamoff from, std::size_t bytes) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    if (!file) file.open(path, std::ios::out | std::ios::binary);
    file.seekp(from);
    for (std::size_t i = 0; i < bytes; ++i) file.put(static_cast<char>(i * 7 + 13));
}

int files_set_aside(const EventFixture& f) {
    return static_cast<int>(
        QDir(f.dir.path()).entryList({"events.db.corrupt-*Z"}, QDir::Files).size());
}

}  // namespace

class TestEventFaults : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_locked_database_delays_events_and_loses_none();
    void a_read_only_database_delays_events_and_loses_none();
    void a_full_disk_delays_events_and_loses_none();
    void a_missing_directory_delays_events_and_loses_none();
    void an_outage_longer_than_the_ring_is_counted();
    void a_database_removed_under_the_recorder_is_made_anew_with_what_the_ring_holds();
    void a_database_removed_while_nothing_happens_is_made_anew();
    void a_database_replaced_under_the_recorder_is_followed();
    void a_log_removed_under_the_recorder_costs_nothing();
    void an_index_cut_short_under_recorder_and_reader_costs_nothing();
    void a_file_that_is_no_database_is_set_aside();
    void a_damaged_database_is_set_aside();
    void a_database_of_a_newer_release_is_left_alone();
    void a_recorder_without_a_database_still_ends_in_time();
    void a_reader_follows_a_replaced_database();
    void a_reader_without_write_permission_reads_a_closed_database_data();
    void a_reader_without_write_permission_reads_a_closed_database();
    void a_reader_says_when_there_is_no_database_of_ours();
};

void TestEventFaults::a_locked_database_delays_events_and_loses_none() {
    EventFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path());
    f.append(10);
    QVERIFY(recorder.flush(10'000));
    const auto other = open_sqlite(f.path());
    QVERIFY(run(other, "BEGIN IMMEDIATE"));
    f.append(500);
    recorder.wake();
    QTRY_VERIFY_WITH_TIMEOUT(!recorder.state().writable, kPatienceMs);
    QVERIFY(recorder.state().problem.find("locked") != std::string::npos);
    QCOMPARE(recorder.state().lag, std::uint64_t{500});
    QVERIFY(!recorder.flush(1));
    QVERIFY(run(other, "ROLLBACK"));
    QVERIFY(recorder.flush(10'000));
    QTRY_VERIFY_WITH_TIMEOUT(recorder.state().writable, kPatienceMs);
    QVERIFY(recorder.state().problem.empty());
    const auto rows = all_rows(f.path());
    QCOMPARE(account(rows, f.epoch, 510), std::string());
    QCOMPARE(count_of(rows, EventKind::gap), std::size_t{0});
}

void TestEventFaults::a_read_only_database_delays_events_and_loses_none() {
    EventFixture f;
    QCOMPARE(::chmod(f.directory().c_str(), 0777), 0);
    const Unprivileged nobody;
    f.append(10);
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    QCOMPARE(::chmod(f.path().c_str(), 0400), 0);
    f.append(10);
    EventRecorder recorder(f.ring, f.epoch, f.path());
    QTRY_VERIFY_WITH_TIMEOUT(!recorder.state().problem.empty(), kPatienceMs);
    QVERIFY(!recorder.state().writable);
    QVERIFY2(recorder.state().problem.find("readonly") != std::string::npos,
             recorder.state().problem.c_str());
    QCOMPARE(::chmod(f.path().c_str(), 0600), 0);
    QVERIFY(recorder.flush(10'000));
    QCOMPARE(account(all_rows(f.path()), f.epoch, 20), std::string());
}

void TestEventFaults::a_full_disk_delays_events_and_loses_none() {
    EventFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path());
    f.append(10);
    QVERIFY(recorder.flush(10'000));
    // A limit on the size of files stops SQLite's writes as a full file system does.
    auto* const before = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    QCOMPARE(::getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlimit small{512 << 10, limit.rlim_max};
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &small), 0);
    f.append(20'000);
    recorder.wake();
    QTRY_VERIFY_WITH_TIMEOUT(!recorder.state().problem.empty(), kPatienceMs);
    QVERIFY(!recorder.state().writable);
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    QVERIFY(recorder.flush(30'000));
    std::signal(SIGXFSZ, before);
    const auto rows = all_rows(f.path());
    QCOMPARE(account(rows, f.epoch, 20'010), std::string());
    QCOMPARE(count_of(rows, EventKind::gap), std::size_t{0});
}

void TestEventFaults::a_missing_directory_delays_events_and_loses_none() {
    EventFixture f;
    const auto directory = f.directory() + "/state";
    EventRecorder recorder(f.ring, f.epoch, directory + "/events.db");
    f.append(10);
    QTRY_VERIFY_WITH_TIMEOUT(!recorder.state().problem.empty(), kPatienceMs);
    QVERIFY(!recorder.state().writable);
    fs::create_directory(directory);
    QVERIFY(recorder.flush(10'000));
    QCOMPARE(account(all_rows(directory + "/events.db"), f.epoch, 10), std::string());
}

void TestEventFaults::an_outage_longer_than_the_ring_is_counted() {
    EventFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path());
    f.append(10);
    QVERIFY(recorder.flush(10'000));
    const auto other = open_sqlite(f.path());
    QVERIFY(run(other, "BEGIN IMMEDIATE"));
    f.append(static_cast<int>(layout::kRingEntries) + 5000);
    QVERIFY(run(other, "ROLLBACK"));
    QVERIFY(recorder.flush(30'000));
    const auto rows = all_rows(f.path(), 10'000);
    QCOMPARE(account(rows, f.epoch, f.ring.head()), std::string());
    QCOMPARE(count_of(rows, EventKind::gap), std::size_t{1});
    // The recorder may have saved one batch while it waited for the lock.
    const auto lost = f.ring.head() + 1 - rows.size();
    QVERIFY2(lost >= 4000 && lost <= 5000, std::to_string(lost).c_str());
    const auto gap = std::find_if(rows.begin(), rows.end(),
                                  [](const auto& row) { return row.kind == EventKind::gap; });
    QCOMPARE(gap->detail, "{\"lost\":" + std::to_string(lost) + "}");
}

void TestEventFaults::
    a_database_removed_under_the_recorder_is_made_anew_with_what_the_ring_holds() {
    EventFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path());
    f.append(100);
    QVERIFY(recorder.flush(10'000));
    QVERIFY(fs::remove(f.path()));
    f.append(10);
    recorder.wake();
    QTRY_COMPARE_WITH_TIMEOUT(all_rows(f.path()).size(), std::size_t{111}, kPatienceMs);
    const auto rows = all_rows(f.path());
    QCOMPARE(account(rows, f.epoch, 110), std::string());
    QCOMPARE(rows[0].kind, EventKind::database_reopened);
    QVERIFY(rows[0].detail.find("removed") != std::string::npos);
    QCOMPARE(rows[0].ring_seq, std::uint64_t{0});
}

void TestEventFaults::a_database_removed_while_nothing_happens_is_made_anew() {
    EventFixture f;
    f.append(40'000);  // the ring has forgotten the first: they went with the old file
    EventRecorder recorder(f.ring, f.epoch, f.path());
    QVERIFY(recorder.flush(30'000));
    QVERIFY(fs::remove(f.path()));
    QTRY_COMPARE_WITH_TIMEOUT(all_rows(f.path(), 10'000).size(),
                              std::size_t{2} + layout::kRingEntries, kPatienceMs);
    const auto rows = all_rows(f.path(), 10'000);
    QCOMPARE(rows[1].kind, EventKind::gap);
    QCOMPARE(rows[1].ring_seq, std::uint64_t{40'000} - layout::kRingEntries);
    QCOMPARE(account(rows, f.epoch, 40'000), std::string());
}

void TestEventFaults::a_database_replaced_under_the_recorder_is_followed() {
    EventFixture f;
    f.append(50);
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    const auto older = f.directory() + "/older.db", copy = f.directory() + "/copy.db";
    fs::copy_file(f.path(), older);
    EventRecorder recorder(f.ring, f.epoch, f.path());
    for (int i = 1; i <= 20; ++i) {
        f.append(50);
        QVERIFY(recorder.flush(10'000));
        fs::copy_file(older, copy);
        fs::remove(f.path() + "-wal");
        fs::rename(copy, f.path());
        f.append(50);
        recorder.wake();
        // This process reads the new file while the recorder still has the old one.
        const auto head = f.ring.head();
        QTRY_COMPARE_WITH_TIMEOUT(account(all_rows(f.path()), f.epoch, head), std::string(),
                                  kPatienceMs);
        QCOMPARE(count_of(all_rows(f.path()), EventKind::database_reopened), std::size_t{1});
    }
    QCOMPARE(files_set_aside(f), 0);
}

void TestEventFaults::a_log_removed_under_the_recorder_costs_nothing() {
    EventFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path());
    f.append(50);
    QVERIFY(recorder.flush(10'000));
    QVERIFY(fs::remove(f.path() + "-wal"));
    f.append(50);
    recorder.wake();
    QTRY_COMPARE_WITH_TIMEOUT(all_rows(f.path()).size(), std::size_t{101}, kPatienceMs);
    QCOMPARE(account(all_rows(f.path()), f.epoch, 100), std::string());
}

void TestEventFaults::an_index_cut_short_under_recorder_and_reader_costs_nothing() {
    EventFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path());
    auto reader = std::optional<EventReader>();
    for (int i = 1; i <= 20; ++i) {
        f.append(50);
        QVERIFY(recorder.flush(10'000));
        if (!reader) reader.emplace(*EventReader::open(f.path()));
        fs::resize_file(f.path() + "-shm", 0);
        f.append(50);
        recorder.wake();
        static_cast<void>(reader->query({}));  // may fail, must not end us
        QVERIFY(recorder.flush(10'000));
    }
    const auto rows = all_rows(f.path());
    QCOMPARE(account(rows, f.epoch, 2000), std::string());
    QCOMPARE(files_set_aside(f), 0);
}

void TestEventFaults::a_file_that_is_no_database_is_set_aside() {
    EventFixture f;
    fill_with_garbage(f.path(), 0, 10'000);
    f.append(10);
    EventRecorder recorder(f.ring, f.epoch, f.path());
    QVERIFY(recorder.flush(10'000));
    const auto rows = all_rows(f.path());
    QCOMPARE(account(rows, f.epoch, 10), std::string());
    QCOMPARE(rows[0].kind, EventKind::database_reopened);
    QVERIFY(rows[0].detail.find("corrupt") != std::string::npos);
    QCOMPARE(files_set_aside(f), 1);
}

void TestEventFaults::a_damaged_database_is_set_aside() {
    EventFixture f;
    f.append(5000);
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    fill_with_garbage(f.path(), 4096, fs::file_size(f.path()) - 4096);
    f.append(10);
    EventRecorder recorder(f.ring, f.epoch, f.path());
    QVERIFY(recorder.flush(30'000));
    const auto rows = all_rows(f.path());
    QCOMPARE(account(rows, f.epoch, 5010), std::string());
    QCOMPARE(files_set_aside(f), 1);
}

void TestEventFaults::a_database_of_a_newer_release_is_left_alone() {
    EventFixture f;
    QVERIFY(run(open_sqlite(f.path()), "CREATE TABLE events(x); PRAGMA user_version=99"));
    f.append(1);
    EventRecorder recorder(f.ring, f.epoch, f.path());
    QTRY_VERIFY_WITH_TIMEOUT(!recorder.state().problem.empty(), kPatienceMs);
    QVERIFY2(recorder.state().problem.find("newer") != std::string::npos,
             recorder.state().problem.c_str());
    QVERIFY(!recorder.state().writable);
    QCOMPARE(files_set_aside(f), 0);
    QVERIFY(run(open_sqlite(f.path()), "SELECT x FROM events"));
}

void TestEventFaults::a_recorder_without_a_database_still_ends_in_time() {
    EventFixture f;
    f.append(10);
    const auto started = monotonic_nanos();
    { const EventRecorder recorder(f.ring, f.epoch, f.directory() + "/absent/events.db"); }
    QVERIFY(monotonic_nanos() - started < 10'000'000'000);
    QCOMPARE(f.ring.committed(), std::uint64_t{0});
}

void TestEventFaults::a_reader_follows_a_replaced_database() {
    EventFixture f;
    f.append(20);
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    auto reader = EventReader::open(f.path());
    QVERIFY(reader);
    QCOMPARE(reader->query({})->size(), std::size_t{20});
    fs::remove(f.path());
    QCOMPARE(reader->query({}).error().code, ErrorCode::database_unavailable);
    const RegistryMemory memory;
    EventRing ring(memory.view());
    ring.append(make_entry(EventKind::manager_started));
    { const EventRecorder recorder(ring, 5, f.path()); }
    const auto rows = reader->query({});
    QVERIFY(rows);
    QCOMPARE(rows->size(), std::size_t{1});
    QCOMPARE(rows->front().epoch, std::uint64_t{5});
}

void TestEventFaults::a_reader_without_write_permission_reads_a_closed_database_data() {
    QTest::addColumn<bool>("with_log");
    QTest::newRow("beside its log") << true;
    QTest::newRow("alone") << false;
}

void TestEventFaults::a_reader_without_write_permission_reads_a_closed_database() {
    QFETCH(bool, with_log);
    EventFixture f;
    f.append(20);
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    for (const auto* part : {"", "-wal", "-shm"}) {
        if (with_log || *part == '\0')
            QCOMPARE(::chmod((f.path() + part).c_str(), 0444), 0);
        else
            fs::remove(f.path() + part);
    }
    QCOMPARE(::chmod(f.directory().c_str(), 0555), 0);
    std::size_t count = 0;
    {
        const Unprivileged nobody;
        auto reader = EventReader::open(f.path());
        QVERIFY2(reader, reader ? "" : reader.error().message.c_str());
        count = reader->query({}).value_or(std::vector<EventRow>{}).size();
    }
    QCOMPARE(::chmod(f.directory().c_str(), 0700), 0);
    QCOMPARE(count, std::size_t{20});
}

void TestEventFaults::a_reader_says_when_there_is_no_database_of_ours() {
    const EventFixture f;
    QCOMPARE(EventReader::open(f.path()).error().code, ErrorCode::database_unavailable);
    QVERIFY(!fs::exists(f.path()));
    QVERIFY(run(open_sqlite(f.path()), "CREATE TABLE other(x)"));
    QCOMPARE(EventReader::open(f.path()).error().code, ErrorCode::database_unavailable);
    fill_with_garbage(f.path(), 0, 10'000);
    QCOMPARE(EventReader::open(f.path()).error().code, ErrorCode::database_unavailable);
    QCOMPARE(EventReader::open(f.directory()).error().code, ErrorCode::database_unavailable);
}

QTEST_APPLESS_MAIN(TestEventFaults)
#include "tst_event_faults.moc"
