// SPDX-License-Identifier: MIT
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QRandomGenerator>
#include <QtTest>

#include <signal.h>

#include <atomic>
#include <thread>

#include "event_fixture.h"
#include "events/event_recorder.h"

using namespace snakepit::shm;
using namespace snakepit::shm::testing;

namespace {

constexpr std::uint64_t kChildEpoch = 77;

// Role "record": changes slot 0 and appends the event of each change, until killed. Its generation
// counts the changes, so that the parent can compare what happened with what was recorded.
// Role "finish": records what the killed ones left.
int run_child(const std::string& role, const std::string& directory) {
    const RegistryMemory memory(directory + "/registry");
    EventRing ring(memory.view());
    ring.recover(1);
    EventRecorder recorder(ring, kChildEpoch, directory + "/events.db");
    if (role == "finish") return recorder.flush(30'000) ? 0 : 1;

    auto& control = memory.view().slot(0).control;
    QRandomGenerator random = QRandomGenerator::securelySeeded();
    for (bool told = false;; told = true) {
        for (auto burst = random.bounded(1, 100); burst > 0; --burst) {
            auto entry = make_entry(EventKind::allocated, "child", 0, 4096);
            entry.slot = 0;
            ring.append(entry, &control, control.load(std::memory_order_relaxed) + 1);
            recorder.wake();
        }
        if (!told && ::write(STDOUT_FILENO, "x", 1) != 1) return 1;
        // Now and then in step with the recorder, so that the ring never overflows.
        if (random.bounded(3) == 0 || ring.head() - ring.committed() > 5000) recorder.flush(10'000);
    }
}

}  // namespace

class TestEventRecorder : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void events_arrive_once_and_in_order();
    void a_second_recorder_goes_on_where_the_first_stopped();
    void every_kind_names_its_fields_in_json_data();
    void every_kind_names_its_fields_in_json();
    void text_that_is_not_utf8_still_gives_json();
    void an_overrun_ring_leaves_one_gap_row_that_counts_the_loss();
    void two_registries_share_a_database();
    void an_event_is_published_at_restart_only_if_its_change_was_made();
    void killing_the_recording_process_loses_and_repeats_nothing();
    void pages_forwards_and_backwards_meet();
    void a_query_selects_by_region_kind_and_time();
    void a_running_query_can_be_interrupted();
    void a_sleeping_recorder_wakes_for_each_event();
};

void TestEventRecorder::events_arrive_once_and_in_order() {
    EventFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path());
    const auto id = RegionId::generate();
    auto refused = make_entry(EventKind::refused, "map");
    refused.result = static_cast<std::uint16_t>(ErrorCode::read_only);
    f.ring.append(about(make_entry(EventKind::allocated, "python3", 0, 1 << 20), id));
    f.ring.append(refused);
    f.append(2500);
    recorder.wake();
    QVERIFY(recorder.flush(10'000));

    const auto state = recorder.state();
    QVERIFY(state.writable);
    QCOMPARE(state.recorded, std::uint64_t{2502});
    QCOMPARE(state.lag, std::uint64_t{0});
    QCOMPARE(f.ring.committed(), std::uint64_t{2502});
    const auto rows = all_rows(f.path());
    QCOMPARE(rows.size(), std::size_t{2502});
    QCOMPARE(account(rows, f.epoch, 2502), std::string());
    QCOMPARE(rows[0].region_id, id.str());
    QCOMPARE(rows[0].pid, std::int64_t{42});
    QCOMPARE(rows[0].uid, 7U);
    QCOMPARE(rows[0].result, std::string("ok"));
    QVERIFY(rows[0].time.micros > 0);
    QCOMPARE(rows[1].result, std::string("read_only"));
    QVERIFY(rows[1].region_id.empty());
}

void TestEventRecorder::a_second_recorder_goes_on_where_the_first_stopped() {
    EventFixture f;
    for (int i = 0; i < 5; ++i) {
        f.append(300);
        const EventRecorder recorder(f.ring, f.epoch, f.path());
    }
    QCOMPARE(account(all_rows(f.path()), f.epoch, 1500), std::string());
}

void TestEventRecorder::every_kind_names_its_fields_in_json_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<QByteArray>("detail");
    const std::pair<EventKind, const char*> cases[] = {
        {EventKind::manager_started, R"({"clients":3,"regions":9})"},
        {EventKind::manager_stopped, "{}"},
        {EventKind::client_connected, R"({"process":"t"})"},
        {EventKind::client_resumed, R"({"process":"t"})"},
        {EventKind::client_disconnected, R"({"process":"t"})"},
        {EventKind::client_gone, R"({"process":"t","references":3})"},
        {EventKind::allocated, R"({"process":"t","size":9})"},
        {EventKind::mapped, R"({"access":"read_only"})"},
        {EventKind::withdrawn, R"({"references":3})"},
        {EventKind::freed, R"({"reason":"t","size":9})"},
        {EventKind::quarantined, R"({"reason":"t","size":9})"},
        {EventKind::restored, R"({"process":"t"})"},
        {EventKind::cleanup_failed, R"({"reason":"t","size":9})"},
        {EventKind::references, R"({"count":3,"holders":[],"more":9})"},
        {EventKind::owner_gone, R"({"owner_end":"withdraw","policy":"t"})"},
        {EventKind::refused, R"({"operation":"t"})"},
        {EventKind::allocation_failed, R"({"reason":"t","size":9})"},
        {EventKind::cleanup, R"({"bytes":9,"regions":3,"scope":"t"})"},
        {EventKind::config_loaded, R"({"file":"t"})"},
        {EventKind::config_refused, R"({"reason":"t"})"},
        {EventKind::leftover_removed, R"({"bytes":9,"name":"t"})"},
        {EventKind::damaged, R"({"reason":"t"})"},
        {EventKind::registry_reset, R"({"reason":"t"})"},
        {EventKind::client_hostile, R"({"action":"t"})"},
        {EventKind::leftover_kept, R"({"bytes":9,"name":"t"})"},
        {EventKind::rows_missing, R"({"after":9,"lost":3})"},
        {EventKind::audit_broken, R"({"reason":"t"})"},
        {EventKind::events_removed, R"({"rows":3,"up_to":9})"},
        {EventKind::accessed, R"({"access":"read_only"})"},
        {EventKind::access_ended, R"({"process":"t"})"},
        {EventKind::alert_fired, R"({"about":"t","alert":9})"},
        {EventKind::alert_resolved, R"({"about":"t","alert":9,"times_fired":3})"},
        {EventKind::alert_acknowledged, R"({"about":"t","alert":9})"},
        {EventKind::alert_silenced, R"({"about":"t","silence":9})"},
        {EventKind::alert_unsilenced, R"({"about":"t","silence":9})"},
        {EventKind::alert_rule_changed, R"({"rule":"t"})"},
        {EventKind::alert_hook_failed, R"({"reason":"t"})"},
        {EventKind::alert_hook_mended, R"({"hook":"t","lost":3})"},
        {EventKind::alerts_skipped, R"({"events":3})"},
        {EventKind::telemetry_failed, R"({"reason":"t"})"},
        {EventKind::clock_stepped, R"({"direction":"t","micros":9})"},
        {EventKind::arena_damaged, R"({"lost":9,"reason":"t","regions":3})"},
        {EventKind::socket_restored, R"({"reason":"t"})"},
        {EventKind::transient, R"({"bytes":9,"count":3})"},
    };
    for (const auto& [kind, detail] : cases)
        QTest::newRow(to_string(kind).data()) << static_cast<int>(kind) << QByteArray(detail);
}

void TestEventRecorder::every_kind_names_its_fields_in_json() {
    QFETCH(int, kind);
    QFETCH(QByteArray, detail);
    EventFixture f;
    f.ring.append(make_entry(static_cast<EventKind>(kind), "t", 3, 9));
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    const auto rows = all_rows(f.path());
    QCOMPARE(rows.size(), std::size_t{1});
    QCOMPARE(static_cast<int>(rows[0].kind), kind);
    const auto document = QJsonDocument::fromJson(QByteArray::fromStdString(rows[0].detail));
    QVERIFY(document.isObject());
    auto object = document.object();
    if (static_cast<EventKind>(kind) == EventKind::transient)
        for (const char* time : {"first", "last"}) QVERIFY(!object.take(time).toString().isEmpty());
    QCOMPARE(QJsonDocument(object).toJson(QJsonDocument::Compact), detail);
}

void TestEventRecorder::text_that_is_not_utf8_still_gives_json() {
    EventFixture f;
    const std::string filling(72, 'z');  // no zero at the end
    f.ring.append(make_entry(EventKind::damaged, "a\"b\\c\n\x01\xFF\xC3"));
    f.ring.append(make_entry(EventKind::damaged, filling));
    f.ring.append(make_entry(EventKind::damaged, "h\u00e9 \xE4\xBD\xA0 \xED\xA0\x80"));
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    const auto rows = all_rows(f.path());
    QCOMPARE(rows.size(), std::size_t{3});
    const auto reason = [&](std::size_t i) {
        return QJsonDocument::fromJson(QByteArray::fromStdString(rows[i].detail))
            .object()["reason"]
            .toString();
    };
    QCOMPARE(reason(0), QString::fromUtf8("a\"b\\c\n\x01\uFFFD\uFFFD"));
    QCOMPARE(reason(1), QString::fromStdString(filling));
    QCOMPARE(reason(2), QString::fromUtf8("h\u00e9 \u4f60 \uFFFD\uFFFD\uFFFD"));
}

void TestEventRecorder::an_overrun_ring_leaves_one_gap_row_that_counts_the_loss() {
    EventFixture f;
    f.append(10);
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    f.append(static_cast<int>(layout::kRingEntries) + 100);
    EventRecorder recorder(f.ring, f.epoch, f.path());
    QVERIFY(recorder.flush(30'000));
    const auto rows = all_rows(f.path(), 10'000);
    QCOMPARE(rows.size(), std::size_t{10} + 1 + layout::kRingEntries);
    QCOMPARE(count_of(rows, EventKind::gap), std::size_t{1});
    QCOMPARE(rows[10].kind, EventKind::gap);
    QCOMPARE(rows[10].ring_seq, std::uint64_t{110});
    QCOMPARE(rows[10].detail, std::string(R"({"lost":100})"));
    QCOMPARE(account(rows, f.epoch, f.ring.head()), std::string());
    QCOMPARE(f.memory.view().state().events_lost.load(), std::uint64_t{100});
}

void TestEventRecorder::two_registries_share_a_database() {
    EventFixture f;
    const RegistryMemory after_reboot;
    EventRing other(after_reboot.view());
    f.append(5);
    other.append(make_entry(EventKind::manager_started));
    { const EventRecorder recorder(f.ring, 1, f.path()); }
    { const EventRecorder recorder(other, ~std::uint64_t{0}, f.path()); }
    const auto rows = all_rows(f.path());
    QCOMPARE(rows.size(), std::size_t{6});
    QCOMPARE(account(rows, 1, 5), std::string());
    QCOMPARE(account(rows, ~std::uint64_t{0}, 1), std::string());
}

void TestEventRecorder::an_event_is_published_at_restart_only_if_its_change_was_made() {
    EventFixture f;
    auto& control = f.memory.view().slot(3).control;
    auto entry = make_entry(EventKind::allocated);
    entry.slot = 3;
    f.ring.append(entry, &control, 10);
    // What a kill leaves between the entry and the head: once without the change, once with it.
    entry.seq = 2;
    entry.control = 11;
    layout::store_words(f.memory.view().event(2), entry);
    f.ring.recover(8);
    QCOMPARE(f.ring.head(), std::uint64_t{1});
    QCOMPARE(f.memory.view().event(2).seq, std::uint64_t{0});
    layout::store_words(f.memory.view().event(2), entry);
    control.store(11);
    f.ring.recover(8);
    QCOMPARE(f.ring.head(), std::uint64_t{2});
    f.ring.recover(8);
    QCOMPARE(f.ring.head(), std::uint64_t{2});
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    QCOMPARE(account(all_rows(f.path()), f.epoch, 2), std::string());
}

void TestEventRecorder::killing_the_recording_process_loses_and_repeats_nothing() {
    const QTemporaryDir dir;
    const auto program = QCoreApplication::applicationFilePath();
    const QString record("record"), finish("finish");
    auto* random = QRandomGenerator::global();
    for (int round = 0; round < 400; ++round) {
        QProcess child;
        child.start(program, {record, dir.path()});
        QVERIFY(child.waitForStarted());
        // Most die while they record, some while they open what the last one left.
        if (random->bounded(5) > 0) QVERIFY(child.waitForReadyRead(20'000));
        QTest::qSleep(random->bounded(1, 16));
        QCOMPARE(::kill(static_cast<pid_t>(child.processId()), SIGKILL), 0);
        QVERIFY(child.waitForFinished());
        QCOMPARE(child.exitStatus(), QProcess::CrashExit);
    }
    QCOMPARE(QProcess::execute(program, {finish, dir.path()}), 0);

    const auto directory = dir.path().toStdString();
    const RegistryMemory memory(directory + "/registry");
    const auto head = memory.view().state().ring_head.load();
    const auto happened = memory.view().slot(0).control.load();
    const auto rows = all_rows(directory + "/events.db", 5000);
    QVERIFY2(happened > 10'000, "the children did too little for their deaths to mean anything");
    QCOMPARE(head, happened);
    QCOMPARE(rows.size(), std::size_t{happened});
    QCOMPARE(account(rows, kChildEpoch, head), std::string());
    QCOMPARE(count_of(rows, EventKind::gap), std::size_t{0});
}

void TestEventRecorder::pages_forwards_and_backwards_meet() {
    EventFixture f;
    f.append(2345);
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    auto forwards = all_rows(f.path(), 100);
    QCOMPARE(forwards.size(), std::size_t{2345});

    auto reader = EventReader::open(f.path());
    QVERIFY(reader);
    EventQuery query;
    query.newest_first = true;
    query.limit = 100;
    std::vector<std::int64_t> backwards;
    while (true) {
        const auto page = reader->query(query);
        QVERIFY(page);
        if (page->empty()) break;
        for (const auto& row : *page) backwards.push_back(row.seq);
        query.before_seq = page->back().seq;
    }
    QCOMPARE(backwards.size(), forwards.size());
    for (std::size_t i = 0; i < forwards.size(); ++i)
        QCOMPARE(backwards[backwards.size() - 1 - i], forwards[i].seq);
}

void TestEventRecorder::a_query_selects_by_region_kind_and_time() {
    EventFixture f;
    const auto one = RegionId::generate(), two = RegionId::generate();
    for (int i = 0; i < 100; ++i) {
        auto entry = about(make_entry(i % 2 == 0 ? EventKind::mapped : EventKind::freed),
                           i % 4 < 2 ? one : two);
        entry.time = 1000 + i;
        f.ring.append(entry);
    }
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    auto reader = EventReader::open(f.path());
    QVERIFY(reader);
    EventQuery query;
    query.region_id = one.str();
    QCOMPARE(reader->query(query)->size(), std::size_t{50});
    query.kinds = {EventKind::freed, EventKind::mapped};
    QCOMPARE(reader->query(query)->size(), std::size_t{50});
    query.kinds = {EventKind::freed, EventKind::gap};
    QCOMPARE(reader->query(query)->size(), std::size_t{25});
    query.kinds.clear();
    query.kind = EventKind::freed;
    QCOMPARE(reader->query(query)->size(), std::size_t{25});
    query.since = Timestamp{1010};
    query.until = Timestamp{1018};
    const auto rows = reader->query(query);
    QCOMPARE(rows->size(), std::size_t{2});  // 1013 and 1017
    QCOMPARE(rows->front().time.micros, std::int64_t{1013});
    query.region_id = "' OR 1 --";
    QVERIFY(reader->query(query)->empty());
    EventQuery search;
    search.words = {one.str().substr(one.str().size() - 8)};
    QCOMPARE(reader->query(search)->size(), std::size_t{50});
    search.words.push_back("freed");
    QCOMPARE(reader->query(search)->size(), std::size_t{25});
    search.words = {"42"};  // of the process id
    QCOMPARE(reader->query(search)->size(), std::size_t{100});
    search.words = {"' OR 1 --"};
    QVERIFY(reader->query(search)->empty());
}

void TestEventRecorder::a_running_query_can_be_interrupted() {
    EventFixture f;
    f.append(static_cast<int>(layout::kRingEntries));
    { const EventRecorder recorder(f.ring, f.epoch, f.path()); }
    auto reader = EventReader::open(f.path());
    QVERIFY(reader);
    std::atomic<bool> done{false};
    std::thread impatient([&] {
        while (!done) reader->interrupt();
    });
    EventQuery query;
    query.kind = EventKind::gap;  // none: looks at every row
    std::optional<ErrorCode> code;
    for (int i = 0; i < 1000 && !code; ++i)
        if (const auto rows = reader->query(query); !rows) code = rows.error().code;
    done = true;
    impatient.join();
    QVERIFY(code == ErrorCode::timeout);
    QVERIFY(reader->query(query));
}

void TestEventRecorder::a_sleeping_recorder_wakes_for_each_event() {
    EventFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path());
    QVERIFY(recorder.flush(10'000));
    // Without flush(), which hurries it: each event must reach the database by wake() alone,
    // whether the recorder naps or sleeps. It looks by itself only after a second: twenty lost ones
    // would show.
    const auto started = monotonic_nanos();
    for (std::uint64_t i = 1; i <= 100; ++i) {
        f.append(1);
        recorder.wake();
        while (f.ring.committed() < i && monotonic_nanos() - started < 20'000'000'000)
            std::this_thread::yield();
        if (i % 10 == 0) QTest::qSleep(7);  // long enough to fall asleep
    }
    QCOMPARE(f.ring.committed(), std::uint64_t{100});
}

int main(int argc, char** argv) {
    if (argc == 3 && (argv[1] == std::string("record") || argv[1] == std::string("finish")))
        return run_child(argv[1], argv[2]);
    QCoreApplication app(argc, argv);
    TestEventRecorder test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_event_recorder.moc"
