// SPDX-License-Identifier: MIT
#include <QtTest>

#include <filesystem>

#include "audit/history_page.h"
#include "audit_fixture.h"
#include "events/event_database.h"
#include "events/event_schema.h"

using namespace snakepit::shm;
using namespace snakepit::shm::testing;

namespace fs = std::filesystem;

namespace {

constexpr int kPatienceMs = 60'000;

constexpr int kRows = 50;

// What somebody does who knows how the chain is made, but has no key: row `from` and those after it
// get a chain that fits them.
void chain_anew(const std::string& path, std::int64_t from) {
    ReadConnection connection(path, kEventDatabase);
    const auto page = read_history(connection, 0, 10'000);
    QVERIFY(page.has_value());
    RowDigest digest;
    Digest previous{};
    std::string sql;
    for (const auto& row : page->rows) {
        if (row.seq >= from)
            sql += "UPDATE events SET chain = x'" +
                   to_hex(digest.of(previous, row.seq, row.values)) +
                   "' WHERE seq = " + std::to_string(row.seq) + ";";
        previous = row.seq >= from ? digest.of(previous, row.seq, row.values) : *row.chain;
    }
    QVERIFY(edit(path, sql));
}

#define FIRST_PROBLEM(verdict, what, row)                                                \
    do {                                                                                 \
        const auto& v = (verdict);                                                       \
        QVERIFY2(!v.clean(), v.summary().c_str());                                       \
        QVERIFY2(v.findings.front().problem == AuditProblem::what, v.summary().c_str()); \
        QCOMPARE(v.findings.front().first, std::int64_t{row});                           \
    } while (false)

}  // namespace

class TestAuditChain : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_recorded_history_is_proven_from_its_first_row_to_its_last();
    void a_history_goes_on_after_a_restart();
    void another_key_proves_nothing();
    void a_row_changed_in_any_column_is_named_data();
    void a_row_changed_in_any_column_is_named();
    void a_row_that_was_removed_is_named();
    void rows_removed_from_the_beginning_are_named();
    void a_row_inserted_between_others_is_named();
    void a_row_inserted_far_behind_the_end_is_named();
    void rows_that_were_exchanged_are_named_data();
    void rows_that_were_exchanged_are_named();
    void a_chain_computed_anew_does_not_hide_the_change();
    void rows_appended_with_a_fitting_chain_are_not_signed();
    void an_end_that_was_cut_off_is_missed_data();
    void an_end_that_was_cut_off_is_missed();
    void without_audit_head_a_cut_end_may_pass_and_that_is_said();
    void a_forged_checkpoint_is_named();
    void a_history_without_checkpoints_proves_nothing();
    void the_recorder_notices_rows_that_went_while_it_was_away();
    void the_recorder_notices_a_database_that_was_put_back();
    void a_row_put_in_the_recorders_way_neither_stops_nor_hides_events();
    void a_history_can_be_verified_while_it_is_written();
    void a_history_of_the_first_release_goes_on_with_a_chain();
    void retention_keeps_the_chain_verifiable();
    void a_history_larger_than_its_limit_loses_its_oldest_rows();
};

void TestAuditChain::a_recorded_history_is_proven_from_its_first_row_to_its_last() {
    AuditFixture f;
    f.record(3500);
    const auto verdict = f.verdict();
    QVERIFY2(verdict.clean(), verdict.summary().c_str());
    QCOMPARE(verdict.rows, std::int64_t{3500});
    QCOMPARE(verdict.proven_first, std::int64_t{1});
    QCOMPARE(verdict.proven_last, std::int64_t{3500});
    QVERIFY(verdict.checkpoints >= 3 && verdict.checkpoints <= 5);
}

void TestAuditChain::a_history_goes_on_after_a_restart() {
    AuditFixture f;
    for (int i = 0; i < 5; ++i) f.record(10);
    const auto verdict = f.verdict();
    QVERIFY2(verdict.clean(), verdict.summary().c_str());
    QCOMPARE(verdict.proven_last, std::int64_t{50});
}

void TestAuditChain::another_key_proves_nothing() {
    AuditFixture f;
    f.record(kRows);
    f.key = AuditFixture::make_key();
    const auto verdict = f.verdict();
    QVERIFY(!verdict.clean());
    QCOMPARE(verdict.proven_last, std::int64_t{0});
}

void TestAuditChain::a_row_changed_in_any_column_is_named_data() {
    QTest::addColumn<QString>("change");
    const char* const changes[] = {
        "epoch = epoch + 1", "ring_seq = 4711",        "ring_seq = NULL",
        "time = time + 1",   "kind = 'freed'",         "region_id = NULL",
        "region_id = 'x'",   "pid = pid + 1",          "uid = 0",
        "result = 'no'",     "detail = '{}'",          "detail = CAST(detail AS BLOB)",
        "chain = NULL",      "chain = zeroblob(32)",   "chain = x'00'",
        "detail = ''",       "kind = kind || char(0)", "time = time + 0.5"};
    for (const auto* change : changes) QTest::newRow(change) << QString(change);
}

void TestAuditChain::a_row_changed_in_any_column_is_named() {
    QFETCH(QString, change);
    AuditFixture f;
    f.record(kRows);
    QVERIFY(edit(f.path(), "UPDATE events SET " + change.toStdString() + " WHERE seq = 20"));
    FIRST_PROBLEM(f.verdict(), changed, 20);
}

void TestAuditChain::a_row_that_was_removed_is_named() {
    AuditFixture f;
    f.record(kRows);
    QVERIFY(edit(f.path(), "DELETE FROM events WHERE seq = 20"));
    const auto verdict = f.verdict();
    FIRST_PROBLEM(verdict, missing, 20);
    QCOMPARE(verdict.problems, std::uint64_t{1});
}

void TestAuditChain::rows_removed_from_the_beginning_are_named() {
    AuditFixture f;
    f.record(kRows);
    QVERIFY(edit(f.path(), "DELETE FROM events WHERE seq <= 20"));
    const auto verdict = f.verdict();
    FIRST_PROBLEM(verdict, missing, 1);
    QCOMPARE(verdict.findings.front().last, std::int64_t{20});
}

void TestAuditChain::a_row_inserted_between_others_is_named() {
    AuditFixture f;
    f.record(kRows);
    // Between two rows there is room only where one was renumbered.
    QVERIFY(edit(f.path(),
                 "INSERT INTO events SELECT 51, epoch, 51, time, kind, region_id, pid, "
                 "uid, result, detail, NULL FROM events WHERE seq = 20"));
    FIRST_PROBLEM(f.verdict(), inserted, 51);
    f.record(0);
    f.ring.append(make_entry(EventKind::refused));
    f.ring.append(make_entry(EventKind::refused));
    f.record(5);
    const auto verdict = f.verdict();
    FIRST_PROBLEM(verdict, inserted, 51);
    QCOMPARE(verdict.problems, std::uint64_t{1});
    QCOMPARE(verdict.last, std::int64_t{58});
}

void TestAuditChain::a_row_inserted_far_behind_the_end_is_named() {
    AuditFixture f;
    f.record(kRows);
    QVERIFY(edit(f.path(),
                 "INSERT INTO events SELECT 9223372036854775807, 1, 1, time, kind, "
                 "region_id, pid, uid, result, detail, chain FROM events WHERE seq = 20"));
    const auto verdict = f.verdict();
    QVERIFY(verdict.findings.front().problem == AuditProblem::inserted);
    QCOMPARE(verdict.problems, std::uint64_t{1});
    QCOMPARE(verdict.proven_last, std::int64_t{kRows});
    f.record(10);  // it does not end the numbers
    QCOMPARE(all_rows(f.path()).size(), std::size_t{kRows + 11});
}

void TestAuditChain::rows_that_were_exchanged_are_named_data() {
    QTest::addColumn<int>("other");
    QTest::addColumn<bool>("chain_too");
    QTest::newRow("neighbours") << 21 << true;
    QTest::newRow("neighbours, chain left in place") << 21 << false;
    QTest::newRow("far apart") << 40 << true;
    QTest::newRow("far apart, chain left in place") << 40 << false;
}

void TestAuditChain::rows_that_were_exchanged_are_named() {
    QFETCH(int, other);
    QFETCH(bool, chain_too);
    AuditFixture f;
    f.record(kRows);
    const auto number = std::to_string(other);
    std::string chains;
    if (!chain_too)
        chains = "CREATE TEMP TABLE c AS SELECT seq, chain FROM events WHERE seq IN (20, " +
                 number + ");";
    std::string back;
    if (!chain_too)
        back =
            "UPDATE events SET chain = (SELECT chain FROM c WHERE c.seq = events.seq) WHERE seq "
            "IN (20, " +
            number + ");";
    QVERIFY(edit(f.path(), chains + "UPDATE events SET seq = -1 WHERE seq = 20;" +
                               "UPDATE events SET seq = 20 WHERE seq = " + number + ";" +
                               "UPDATE events SET seq = " + number + " WHERE seq = -1;" + back));
    const auto verdict = f.verdict();
    FIRST_PROBLEM(verdict, reordered, 20);
    QCOMPARE(verdict.findings.front().last, std::int64_t{other});
}

void TestAuditChain::a_chain_computed_anew_does_not_hide_the_change() {
    AuditFixture f;
    f.record(kRows);
    QVERIFY(edit(f.path(), "UPDATE events SET uid = 0 WHERE seq = 20"));
    chain_anew(f.path(), 20);
    const auto verdict = f.verdict();
    FIRST_PROBLEM(verdict, rewritten, 1);
    QCOMPARE(verdict.findings.front().last, std::int64_t{kRows});
    QCOMPARE(verdict.proven_last, std::int64_t{0});
}

void TestAuditChain::rows_appended_with_a_fitting_chain_are_not_signed() {
    AuditFixture f;
    f.record(kRows);
    QVERIFY(edit(f.path(),
                 "INSERT INTO events SELECT 51, epoch, 51, time, kind, region_id, pid, "
                 "uid, result, detail, NULL FROM events WHERE seq = 20"));
    chain_anew(f.path(), 51);
    FIRST_PROBLEM(f.verdict(), inserted, 51);
}

void TestAuditChain::an_end_that_was_cut_off_is_missed_data() {
    QTest::addColumn<QString>("also");
    QTest::newRow("rows alone") << "";
    QTest::newRow("with checkpoints") << "DELETE FROM checkpoints WHERE seq > 40;";
    QTest::newRow("with everything SQLite knows")
        << "DELETE FROM checkpoints WHERE seq > 40; UPDATE sqlite_sequence SET seq = 40;";
}

void TestAuditChain::an_end_that_was_cut_off_is_missed() {
    QFETCH(QString, also);
    AuditFixture f;
    f.record(40);
    f.record(10);
    QVERIFY(edit(f.path(), "DELETE FROM events WHERE seq > 40;" + also.toStdString()));
    const auto verdict = f.verdict();
    FIRST_PROBLEM(verdict, tail_cut, 41);
    QCOMPARE(verdict.findings.front().last, std::int64_t{50});
}

void TestAuditChain::without_audit_head_a_cut_end_may_pass_and_that_is_said() {
    AuditFixture f;
    f.record(kRows);
    fs::remove(f.head());
    const auto copied = f.verdict(false);
    QVERIFY2(copied.clean(), copied.summary().c_str());
    QCOMPARE(copied.notes.size(), std::size_t{1});
    QVERIFY(!f.verdict(true).clean());
}

void TestAuditChain::a_forged_checkpoint_is_named() {
    AuditFixture f;
    f.record(kRows);
    // Signed, but by somebody else; and one whose number was changed.
    Checkpoint forged{{20, {}}, now(), std::string(checkpoint_reason::retention), {}};
    QVERIFY(forged.sign(*AuditFixture::make_key()).has_value());
    QVERIFY(edit(f.path(), "INSERT INTO checkpoints VALUES(20, x'" + to_hex(forged.at.chain) +
                               "', " + std::to_string(forged.time.micros) + ", 'retention', x'" +
                               to_hex(forged.signature) + "')"));
    FIRST_PROBLEM(f.verdict(), forged, 20);
    QVERIFY(edit(f.path(), "DELETE FROM events WHERE seq <= 20"));
    FIRST_PROBLEM(f.verdict(), missing, 1);
}

void TestAuditChain::a_history_without_checkpoints_proves_nothing() {
    AuditFixture f;
    f.record(kRows);
    QVERIFY(edit(f.path(), "DELETE FROM checkpoints"));
    fs::remove(f.head());
    const auto verdict = f.verdict(false);
    QVERIFY(!verdict.clean());
    QVERIFY(verdict.findings.front().problem == AuditProblem::unprotected);
    QCOMPARE(verdict.proven_last, std::int64_t{0});
}

void TestAuditChain::the_recorder_notices_rows_that_went_while_it_was_away() {
    AuditFixture f;
    f.record(40);
    f.record(10);
    QVERIFY(edit(f.path(),
                 "DELETE FROM events WHERE seq > 40; DELETE FROM checkpoints WHERE seq > "
                 "40; UPDATE sqlite_sequence SET seq = 40;"));
    f.record(5);
    const auto rows = all_rows(f.path());
    QCOMPARE(count_of(rows, EventKind::rows_missing), std::size_t{1});
    QCOMPARE(rows[40].kind, EventKind::rows_missing);
    QCOMPARE(rows[40].seq, std::int64_t{51});
    QCOMPARE(rows[40].detail, std::string(R"({"lost":10,"after":50})"));
    const auto verdict = f.verdict();
    FIRST_PROBLEM(verdict, missing, 41);
    QCOMPARE(verdict.findings.front().last, std::int64_t{50});
    QCOMPARE(verdict.problems, std::uint64_t{1});
}

void TestAuditChain::the_recorder_notices_a_database_that_was_put_back() {
    AuditFixture f;
    f.record(20);
    fs::copy_file(f.path(), f.directory() + "/copy");
    f.record(30);
    for (const auto* part : {"", "-wal", "-shm"}) fs::remove(f.path() + part);
    fs::rename(f.directory() + "/copy", f.path());
    FIRST_PROBLEM(f.verdict(), tail_cut, 21);
    f.record(5);
    QCOMPARE(count_of(all_rows(f.path()), EventKind::rows_missing), std::size_t{1});
    FIRST_PROBLEM(f.verdict(), missing, 21);
}

void TestAuditChain::a_row_put_in_the_recorders_way_neither_stops_nor_hides_events() {
    AuditFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path(), f.audit());
    f.append(10);
    QVERIFY(recorder.flush(10'000));
    // It takes the next number and the next place in the ring.
    QVERIFY(edit(f.path(),
                 "INSERT INTO events SELECT 11, epoch, 11, time, 'freed', region_id, "
                 "pid, uid, result, detail, chain FROM events WHERE seq = 10"));
    f.append(10);
    QVERIFY(recorder.flush(10'000));
    QTRY_VERIFY_WITH_TIMEOUT(recorder.state().writable, kPatienceMs);
    const auto rows = all_rows(f.path());
    QCOMPARE(rows.size(), std::size_t{21});
    QCOMPARE(count_of(rows, EventKind::mapped), std::size_t{20});
    QCOMPARE(rows.back().ring_seq, std::uint64_t{20});
    FIRST_PROBLEM(f.verdict(), inserted, 11);
}

void TestAuditChain::a_history_can_be_verified_while_it_is_written() {
    AuditFixture f;
    EventRecorder recorder(f.ring, f.epoch, f.path(), f.audit());
    f.append(1);
    QVERIFY(recorder.flush(10'000));
    for (int i = 0; i < 50; ++i) {
        f.append(300);
        recorder.wake();
        const auto verdict = f.verdict(false);
        QVERIFY2(verdict.clean(), verdict.summary().c_str());
        if (f.ring.head() - f.ring.committed() > 10'000) QVERIFY(recorder.flush(10'000));
    }
}

void TestAuditChain::a_history_of_the_first_release_goes_on_with_a_chain() {
    AuditFixture f;
    QVERIFY(edit(f.path(), R"(PRAGMA journal_mode=WAL; CREATE TABLE events(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, epoch INTEGER NOT NULL, ring_seq INTEGER,
        time INTEGER NOT NULL, kind TEXT NOT NULL, region_id TEXT, pid INTEGER NOT NULL,
        uid INTEGER NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL, UNIQUE(epoch, ring_seq));
        CREATE INDEX events_region ON events(region_id) WHERE region_id IS NOT NULL;
        WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 30)
        INSERT INTO events(epoch, ring_seq, time, kind, pid, uid, result, detail)
        SELECT 5, i, i, 'mapped', 1, 1, 'ok', '{}' FROM c; PRAGMA user_version=1;)"));
    QVERIFY(!f.verdict(false).clean());
    f.record(20);
    const auto rows = all_rows(f.path());
    QCOMPARE(rows.size(), std::size_t{50});
    const auto verdict = f.verdict();
    QVERIFY2(verdict.clean(), verdict.summary().c_str());
    QCOMPARE(verdict.unchained, std::int64_t{30});
    QCOMPARE(verdict.proven_first, std::int64_t{31});
    QCOMPARE(verdict.proven_last, std::int64_t{50});
    QVERIFY(edit(f.path(), "UPDATE events SET chain = NULL WHERE seq = 35"));
    FIRST_PROBLEM(f.verdict(), changed, 35);
}

void TestAuditChain::retention_keeps_the_chain_verifiable() {
    AuditFixture f;
    f.record(12'500);
    EventRecorder recorder(f.ring, f.epoch, f.path(), f.audit());
    recorder.set_retention(1, 0);
    f.append(1);  // and what is left is more than one row of this ring
    recorder.wake();
    QTRY_COMPARE_WITH_TIMEOUT(count_of(all_rows(f.path()), EventKind::events_removed),
                              std::size_t{1}, 60'000);
    recorder.set_retention(0, 0);
    QVERIFY(recorder.flush(10'000));
    const auto rows = all_rows(f.path());
    QVERIFY(rows.front().seq > 10'000);
    const auto verdict = f.verdict(false);
    QVERIFY2(verdict.clean(), verdict.summary().c_str());
    QCOMPARE(verdict.removed_up_to, rows.front().seq - 1);
    QCOMPARE(verdict.proven_first, rows.front().seq);
    QVERIFY(edit(f.path(), "DELETE FROM events WHERE seq = " + std::to_string(rows.front().seq)));
    FIRST_PROBLEM(f.verdict(false), missing, verdict.removed_up_to + 1);
}

void TestAuditChain::a_history_larger_than_its_limit_loses_its_oldest_rows() {
    constexpr std::uint64_t kLimit = 1 << 20;
    constexpr std::uint64_t kFewPages = 1 << 16;  // what is recorded about the removal
    AuditFixture f;
    f.record(12'500);
    {
        EventRecorder recorder(f.ring, f.epoch, f.path(), f.audit());
        recorder.set_retention(0, kLimit);
        f.append(1);
        recorder.wake();
        QTRY_VERIFY_WITH_TIMEOUT(count_of(all_rows(f.path()), EventKind::events_removed) > 0,
                                 60'000);
        // Room that was freed is used again: a history that goes on stays within its limit.
        for (int i = 0; i < 3; ++i) {
            f.append(5000);
            QVERIFY(recorder.flush(10'000));
        }
        QTRY_VERIFY_WITH_TIMEOUT(all_rows(f.path()).size() < 10'000, 60'000);
    }
    const auto rows = all_rows(f.path());
    QVERIFY(rows.size() > 1000);
    QVERIFY(std::any_of(rows.begin(), rows.end(),
                        [&](const auto& row) { return row.ring_seq == f.ring.head(); }));
    auto database = EventDatabase::open(f.path(), f.epoch);
    QVERIFY(database);
    const auto used = database->used_bytes();
    QVERIFY(used && *used <= kLimit + kFewPages);
    const auto verdict = f.verdict(false);
    QVERIFY2(verdict.clean(), verdict.summary().c_str());
    QCOMPARE(verdict.removed_up_to, rows.front().seq - 1);
}

QTEST_APPLESS_MAIN(TestAuditChain)
#include "tst_audit_chain.moc"
