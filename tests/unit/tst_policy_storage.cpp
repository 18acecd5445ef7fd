// SPDX-License-Identifier: MIT
// Policies across restarts, kills, reboots and damage of what they are kept in.
#include <QFile>
#include <QTest>

#include "policy_fixture.h"
#include "security/policy_store.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;
using namespace snakepit::shm::layout;

class PolicyStorageTest : public PolicyFixture {
    Q_OBJECT

  private Q_SLOTS:
    void policies_survive_a_restart_and_go_with_their_regions();
    void a_row_decides_when_the_manager_was_killed_behind_it();
    void a_lost_policy_leaves_the_region_to_who_manages_it();
    void a_damaged_database_is_put_aside();
    void an_index_cut_short_under_it_costs_no_policy();
    void a_policy_of_durable_regions_survives_a_reboot();
};

void PolicyStorageTest::policies_survive_a_restart_and_go_with_their_regions() {
    const auto region = user_->allocate(100);
    const auto other = user_->allocate(100);
    QVERIFY(set(user_->caller(), region->id, kAliceReads));
    QVERIFY(set(user_->caller(), other->id, kAliceReads));
    QVERIFY(service().deallocate(user_->caller(), other->id, false).value());
    bench_->restart();
    Program alice(bench_->service, kAlice);
    QVERIFY(alice.map(region->id, AccessMode::read_only));
    QCOMPARE(code(alice.map(region->id)), ErrorCode::permission_denied);
    PolicyStore store(std::make_shared<StateDatabase>(bench_->paths().state_db()), "");
    std::string note;
    const auto rows = store.load(note);
    QCOMPARE(rows->size(), std::size_t{1});
    QVERIFY(rows->front().id == region->id && rows->front().changed_by_uid == kUser.uid);
    QVERIFY(note.empty());
}

void PolicyStorageTest::a_row_decides_when_the_manager_was_killed_behind_it() {
    const auto first = user_->allocate(100);
    const auto changed = user_->allocate(100);
    QVERIFY(set(user_->caller(), changed->id, kAliceReads));
    bench_->kill();
    {
        PolicyStore store(std::make_shared<StateDatabase>(bench_->paths().state_db()), "");
        const auto bobs = *parse_policy(kBobReads);
        QVERIFY(store.save({first->id, 1, bobs, now(), 4711, 12}, true));
        QVERIFY(store.save({changed->id, 2, bobs, now(), 4711, 12}, true));
        QVERIFY(store.save({RegionId::generate(), 1, bobs, now(), 4711, 12}, true));
    }
    bench_->start();
    Program alice(bench_->service, kAlice), bob(bench_->service, kBob);
    for (const auto& id : {first->id, changed->id}) {
        QCOMPARE(bench_->last_event(id, EventKind::policy_changed).uid, 4711U);
        QVERIFY(in_effect(id));
        QVERIFY(bob.map(id, AccessMode::read_only));
        QVERIFY(!alice.map(id, AccessMode::read_only));
    }
    bench_->kill();
    PolicyStore store(std::make_shared<StateDatabase>(bench_->paths().state_db()), "");
    std::string note;
    QCOMPARE(store.load(note)->size(), std::size_t{2});  // nothing of a region that never was
}

void PolicyStorageTest::a_lost_policy_leaves_the_region_to_who_manages_it() {
    const auto region = user_->allocate(100);
    QVERIFY(set(user_->caller(), region->id, kAliceReads));
    bench_->kill();
    for (const auto* end : {"", "-wal", "-shm"})
        QFile::remove(QString::fromStdString(bench_->paths().state_db()) + end);
    bench_->start();
    Program alice(bench_->service, kAlice);
    QCOMPARE(bench_->count_events(region->id, EventKind::policy_unreadable), 1U);
    QCOMPARE(code(alice.map(region->id, AccessMode::read_only)), ErrorCode::permission_denied);
    QCOMPARE(code(user_->map(region->id)), ErrorCode::permission_denied);
    QVERIFY(!parse_policy_report(*service().show_policy(user_->caller(), region->id))->readable);
    QVERIFY(set(user_->caller(), region->id, kAliceReads)->readable);
    QVERIFY(alice.map(region->id, AccessMode::read_only));
}

void PolicyStorageTest::a_damaged_database_is_put_aside() {
    const auto region = user_->allocate(100);
    QVERIFY(set(user_->caller(), region->id, kAliceReads));
    bench_->kill();
    for (const auto* end : {"-wal", "-shm"})
        QFile::remove(QString::fromStdString(bench_->paths().state_db()) + end);
    QFile file(QString::fromStdString(bench_->paths().state_db()));
    QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
    file.write(QByteArray(20'000, 'x'));
    file.close();
    bench_->start();
    QVERIFY(bench_->count_events({}, EventKind::policy_unreadable) >= 1);
    QVERIFY(!user_->map(region->id));
    QVERIFY(set(user_->caller(), region->id, "{}"));
    QVERIFY(user_->map(region->id));
}

void PolicyStorageTest::an_index_cut_short_under_it_costs_no_policy() {
    const auto region = user_->allocate(100);
    QVERIFY(set(user_->caller(), region->id, kAliceReads));
    QVERIFY(QFile::resize(QString::fromStdString(bench_->paths().state_db()) + "-shm", 0));
    // The write that meets it may fail, and says so; the next one opens the database anew.
    if (!set(user_->caller(), region->id, kBobReads))
        QVERIFY(set(user_->caller(), region->id, kBobReads));
    bench_->restart();
    Program bob(bench_->service, kBob);
    QVERIFY(bob.map(region->id, AccessMode::read_only));
}

void PolicyStorageTest::a_policy_of_durable_regions_survives_a_reboot() {
    const auto region = user_->allocate(100, {.durable = true});
    QVERIFY(set(user_->caller(), region->id,
                R"({"rules":[{"user":5001,"allow":["read"]},
                             {"process":1,"process_start":5,"allow":["write"]}]})"));
    QVERIFY(set(user_->caller(), region->id, kAliceReads)->in_effect);  // moved: its second name
    bench_->kill();
    bench_->reboot();
    user_->die();
    bench_->start();
    Program alice(bench_->service, kAlice), bob(bench_->service, kBob);
    QVERIFY(alice.map(region->id, AccessMode::read_only));
    QVERIFY(!bob.map(region->id, AccessMode::read_only));
}

QTEST_GUILESS_MAIN(PolicyStorageTest)
#include "moc_policy_fixture.cpp"
#include "moc_service_bench.cpp"
#include "tst_policy_storage.moc"
