// SPDX-License-Identifier: MIT
// The order in which locks are granted, what ends them, and circles of waits.
#include <QtTest>

#include "base/lock_owner.h"
#include "lock_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

// Clients with one thread each, by the names of the tests.
constexpr LockOwner kAnn{1, 100}, kBob{2, 200}, kCid{3, 300}, kDan{4, 400};
constexpr std::uint32_t kX = 5, kY = 6, kZ = 7;

}  // namespace

class SynchronizerTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { bench_ = std::make_unique<LockBench>(); }
    void cleanup() { bench_.reset(); }

    void readers_share_and_a_writer_is_alone();
    void nobody_overtakes_a_waiting_writer();
    void readers_at_the_head_are_granted_together();
    void an_owner_is_granted_again_at_once_and_gives_back_in_turn();
    void reading_inside_writing_leaves_the_writer_alone_until_its_own_end();
    void an_upgrade_goes_ahead_of_the_queue();
    void a_second_upgrade_is_a_deadlock();
    void trying_does_not_wait();
    void a_wait_that_takes_too_long_ends_and_lets_others_pass();
    void a_cancelled_wait_that_was_granted_meanwhile_is_granted();
    void a_request_made_again_is_granted_once();
    void a_release_made_again_undoes_one_level();
    void a_cancelled_request_leaves_nothing_behind();
    void a_grant_that_nobody_was_told_of_ends_with_its_ticket();
    void another_thread_of_the_client_may_give_a_lock_back_and_another_client_not();
    void what_is_gone_is_granted_on();
    void withdrawing_a_region_ends_the_waits_and_not_the_locks();
    void a_restart_keeps_locks_and_forgets_waits();
    void circles_are_refused_at_once_and_named_data();
    void circles_are_refused_at_once_and_named();
    void a_refused_request_changed_nothing();
    void a_place_in_the_queue_can_close_a_circle();
    void threads_of_one_client_are_not_taken_for_each_other();
    void a_thread_that_uses_two_clients_waits_as_one();
    void owners_of_two_clients_are_the_same_only_if_they_are_threads_of_one_process();
    void no_client_takes_the_whole_table();

  private:
    LockBench& bench() { return *bench_; }
    Synchronizer& sync() { return *bench_->sync; }
    std::unique_ptr<LockBench> bench_;
};

void SynchronizerTest::readers_share_and_a_writer_is_alone() {
    QCOMPARE(bench().ask(kAnn, kX, kRead).state, LockState::granted);
    const auto bob = bench().ask(kBob, kX, kRead);
    QCOMPARE(bob.state, LockState::granted);
    QCOMPARE(bench().ask(kCid, kX, kWrite).state, LockState::queued);
    QCOMPARE(bench().ask(kDan, kY, kWrite).state, LockState::granted);
    QCOMPARE(bench().ask(kAnn, kY, kRead).state, LockState::queued);
    QCOMPARE(sync().holders(kX).size(), 2U);
    QCOMPARE(sync().holders(kY).size(), 1U);
}

void SynchronizerTest::nobody_overtakes_a_waiting_writer() {
    const auto ann = bench().ask(kAnn, kX, kRead);
    const auto bob = bench().ask(kBob, kX, kWrite);
    const auto cid = bench().ask(kCid, kX, kRead);
    QCOMPARE(cid.state, LockState::queued);
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    const auto granted = sync().poll(kBob.serial, bob.ticket);
    QCOMPARE(granted.state, LockState::granted);
    QCOMPARE(bench().poll(kCid, cid), LockState::queued);
    QVERIFY(bench().unlock(kBob, kX, granted.token));
    QCOMPARE(bench().poll(kCid, cid), LockState::granted);
}

void SynchronizerTest::readers_at_the_head_are_granted_together() {
    const auto ann = bench().ask(kAnn, kX, kWrite);
    const auto bob = bench().ask(kBob, kX, kRead);
    const auto cid = bench().ask(kCid, kX, kRead);
    const auto dan = bench().ask(kDan, kX, kWrite);
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QCOMPARE(bench().poll(kBob, bob), LockState::granted);
    QCOMPARE(bench().poll(kCid, cid), LockState::granted);
    QCOMPARE(bench().poll(kDan, dan), LockState::queued);
}

void SynchronizerTest::an_owner_is_granted_again_at_once_and_gives_back_in_turn() {
    const auto first = bench().ask(kAnn, kX, kRead);
    const auto bob = bench().ask(kBob, kX, kWrite);
    const auto second = bench().ask(kAnn, kX, kRead);  // past the writer: it has it
    QCOMPARE(second.state, LockState::granted);
    QCOMPARE(second.token, first.token);
    QVERIFY(bench().unlock(kAnn, kX, first.token));
    QCOMPARE(bench().poll(kBob, bob), LockState::queued);
    QVERIFY(bench().unlock(kAnn, kX, first.token));
    QCOMPARE(bench().poll(kBob, bob), LockState::granted);
    QVERIFY(!bench().unlock(kAnn, kX, first.token));
}

void SynchronizerTest::reading_inside_writing_leaves_the_writer_alone_until_its_own_end() {
    const auto ann = bench().ask(kAnn, kX, kWrite);
    QCOMPARE(bench().ask(kAnn, kX, kRead).token, ann.token);
    const auto bob = bench().ask(kBob, kX, kRead);
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QCOMPARE(bench().poll(kBob, bob), LockState::queued);
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QCOMPARE(bench().poll(kBob, bob), LockState::granted);
}

void SynchronizerTest::an_upgrade_goes_ahead_of_the_queue() {
    const auto ann = bench().ask(kAnn, kX, kRead);
    const auto bob = bench().ask(kBob, kX, kRead);
    const auto cid = bench().ask(kCid, kX, kWrite);
    const auto upgrade = bench().ask(kAnn, kX, kWrite);
    QCOMPARE(upgrade.state, LockState::queued);
    QVERIFY(bench().unlock(kBob, kX, bob.token));
    QCOMPARE(sync().poll(kAnn.serial, upgrade.ticket).token, ann.token);
    QCOMPARE(bench().levels(kAnn, kX), std::pair(1, 1));
    QCOMPARE(bench().poll(kCid, cid), LockState::queued);
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QCOMPARE(bench().levels(kAnn, kX), std::pair(1, 0));
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QCOMPARE(bench().poll(kCid, cid), LockState::granted);
}

void SynchronizerTest::a_second_upgrade_is_a_deadlock() {
    bench().ask(kAnn, kX, kRead);
    const auto bob = bench().ask(kBob, kX, kRead);
    const auto first = bench().ask(kAnn, kX, kWrite);
    QCOMPARE(first.state, LockState::queued);
    QCOMPARE(bench().ask(kBob, kX, kWrite).state, LockState::deadlock);
    QVERIFY(bench().unlock(kBob, kX, bob.token));
    QCOMPARE(bench().poll(kAnn, first), LockState::granted);
}

void SynchronizerTest::trying_does_not_wait() {
    bench().ask(kAnn, kX, kRead);
    QCOMPARE(bench().ask(kBob, kX, kWrite, 0).state, LockState::timed_out);
    QCOMPARE(bench().ask(kBob, kX, kRead, 0).state, LockState::granted);
    const auto cid = bench().ask(kCid, kX, kWrite);
    QCOMPARE(cid.state, LockState::queued);
    QCOMPARE(bench().ask(kDan, kX, kRead, 0).state, LockState::timed_out);  // would overtake
    QCOMPARE(sync().waiters(kX).size(), 1U);
}

void SynchronizerTest::a_wait_that_takes_too_long_ends_and_lets_others_pass() {
    const auto start = monotonic_nanos();
    const auto hour = std::int64_t{3600} * 1'000'000'000;
    bench().ask(kAnn, kX, kRead);
    const auto bob = bench().ask(kBob, kX, kWrite, start + hour);
    const auto cid = bench().ask(kCid, kX, kRead, start + 2 * hour);
    sync().expire(start + hour - 1);
    QCOMPARE(bench().poll(kBob, bob), LockState::queued);
    sync().expire(start + hour);
    QCOMPARE(sync().take_settled().size(), 2U);
    QCOMPARE(bench().poll(kBob, bob), LockState::timed_out);
    QCOMPARE(bench().poll(kCid, cid), LockState::granted);
    QCOMPARE(bench().poll(kBob, bob), LockState::unknown);  // told once
}

void SynchronizerTest::a_cancelled_wait_that_was_granted_meanwhile_is_granted() {
    const auto ann = bench().ask(kAnn, kX, kWrite);
    const auto bob = bench().ask(kBob, kX, kWrite);
    const auto cid = bench().ask(kCid, kX, kWrite);
    QCOMPARE(sync().cancel(kCid.serial, cid.ticket).state, LockState::timed_out);
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QCOMPARE(sync().cancel(kBob.serial, bob.ticket).state, LockState::granted);
    QCOMPARE(sync().cancel(kDan.serial, bob.ticket).state, LockState::unknown);
}

void SynchronizerTest::a_request_made_again_is_granted_once() {
    const auto ann = bench().ask(kAnn, kX, kWrite);
    const auto request = bench().requests;
    QCOMPARE(bench().ask(kAnn, kX, kWrite, 0, request).token, ann.token);
    QCOMPARE(bench().levels(kAnn, kX), std::pair(0, 1));
    const auto bob = bench().ask(kBob, kX, kRead);
    QCOMPARE(bench().ask(kBob, kX, kRead, 0, bench().requests).ticket, bob.ticket);
    QCOMPARE(sync().waiters(kX).size(), 1U);
    // Something else asked for by the same thread: it does not wait for the first any more.
    QCOMPARE(bench().ask(kBob, kY, kRead).state, LockState::granted);
    QVERIFY(sync().waiters(kX).empty());
}

void SynchronizerTest::a_release_made_again_undoes_one_level() {
    const auto ann = bench().ask(kAnn, kX, kWrite);
    bench().ask(kAnn, kX, kWrite);
    QVERIFY(bench().unlock(kAnn, kX, ann.token, 77));
    QVERIFY(bench().unlock(kAnn, kX, ann.token, 77));
    QCOMPARE(bench().levels(kAnn, kX), std::pair(0, 1));
}

void SynchronizerTest::a_cancelled_request_leaves_nothing_behind() {
    bench().ask(kAnn, kX, kWrite, 0, 50);
    const auto bob = bench().ask(kBob, kX, kWrite, LockRequest::kForever, 60);
    const auto cid = bench().ask(kCid, kX, kWrite);
    sync().cancel_request(kX, kBob, 60);
    QCOMPARE(bench().poll(kBob, bob), LockState::unknown);
    sync().cancel_request(kX, kAnn, 49);  // an earlier one: it is not that which holds it
    QCOMPARE(bench().levels(kAnn, kX), std::pair(0, 1));
    sync().cancel_request(kX, kAnn, 50);
    QCOMPARE(bench().levels(kAnn, kX), std::pair(0, 0));
    QCOMPARE(bench().poll(kCid, cid), LockState::granted);
}

// By the next request of its owner, or when it is cancelled: the client asks again for a ticket
// that is unknown, and would have one level too many.
void SynchronizerTest::a_grant_that_nobody_was_told_of_ends_with_its_ticket() {
    const auto bob = bench().ask(kBob, kX, kWrite);
    const auto waits = bench().ask(kAnn, kX, kRead, LockRequest::kForever, 50);
    QVERIFY(bench().unlock(kBob, kX, bob.token));
    QCOMPARE(bench().levels(kAnn, kX), std::pair(1, 0));
    bench().ask(kAnn, kX, kRead, 0, 51);
    QCOMPARE(bench().levels(kAnn, kX), std::pair(1, 0));
    QCOMPARE(bench().poll(kAnn, waits), LockState::unknown);
    const auto again = bench().ask(kAnn, kX, kRead, 0, 50);
    QCOMPARE(bench().levels(kAnn, kX), std::pair(2, 0));

    const auto writes = bench().ask(kBob, kX, kWrite);
    const auto deeper = bench().ask(kAnn, kY, kWrite);
    QVERIFY(bench().unlock(kAnn, kX, again.token) && bench().unlock(kAnn, kX, again.token));
    QCOMPARE(bench().poll(kBob, writes), LockState::granted);
    const auto other = bench().ask(kBob, kY, kRead, LockRequest::kForever, 60);
    QVERIFY(bench().unlock(kAnn, kY, deeper.token));
    // Another request changed the record since, so its number does not tell what to undo.
    bench().unlock(kBob, kY, sync().holders(kY).front().lock.token, 61);
    sync().cancel_request(kY, kBob, 60);
    QCOMPARE(bench().levels(kBob, kY), std::pair(0, 0));
    QCOMPARE(bench().poll(kBob, other), LockState::unknown);
}

void SynchronizerTest::another_thread_of_the_client_may_give_a_lock_back_and_another_client_not() {
    const auto ann = bench().ask(kAnn, kX, kWrite);
    QVERIFY(!bench().unlock(kBob, kX, ann.token));
    QVERIFY(!bench().unlock(kAnn, kY, ann.token));
    QVERIFY(bench().unlock(LockOwner{kAnn.serial, 101}, kX, ann.token));
    QVERIFY(!sync().locked(kX));
}

void SynchronizerTest::what_is_gone_is_granted_on() {
    bench().ask(kAnn, kX, kWrite);
    const auto bob = bench().ask(kBob, kX, kWrite);
    const auto cid = bench().ask(kCid, kX, kRead);
    QCOMPARE(sync().held_by(kAnn.serial).size(), 1U);
    sync().drop(kBob.serial);  // a waiter
    sync().drop(kAnn.serial);  // the holder
    QCOMPARE(bench().poll(kCid, cid), LockState::granted);
    QCOMPARE(bench().poll(kBob, bob), LockState::unknown);
    QVERIFY(sync().held_by(kAnn.serial).empty());
    sync().drop(kCid.serial);
    QVERIFY(sync().slots(0).empty());
}

void SynchronizerTest::withdrawing_a_region_ends_the_waits_and_not_the_locks() {
    const auto ann = bench().ask(kAnn, kX, kWrite);
    const auto bob = bench().ask(kBob, kX, kWrite);
    sync().dismiss(kX);
    QCOMPARE(bench().poll(kBob, bob), LockState::withdrawn);
    QVERIFY(sync().locked(kX));
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QVERIFY(!sync().locked(kX));
}

void SynchronizerTest::a_restart_keeps_locks_and_forgets_waits() {
    const auto ann = bench().ask(kAnn, kX, kRead);
    bench().ask(kAnn, kX, kRead);
    bench().ask(kAnn, kX, kWrite, LockRequest::kForever, 1000);
    const auto bob = bench().ask(kBob, kX, kRead);
    bench().restart();
    QCOMPARE(bench().levels(kAnn, kX), std::pair(2, 1));
    QCOMPARE(bench().poll(kBob, bob), LockState::unknown);
    // The answer to it was lost with the manager: granted already, and not once more.
    QCOMPARE(bench().ask(kAnn, kX, kWrite, LockRequest::kForever, 1000).token, ann.token);
    QCOMPARE(bench().levels(kAnn, kX), std::pair(2, 1));
    const auto again = bench().ask(kBob, kX, kRead);
    for (int i = 0; i < 3; ++i) QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QCOMPARE(bench().poll(kBob, again), LockState::granted);
    bench().restart();
    QCOMPARE(sync().serials(), std::vector<std::uint64_t>{kBob.serial});
}

void SynchronizerTest::circles_are_refused_at_once_and_named_data() {
    QTest::addColumn<int>("size");
    for (const int size : {2, 3, 10}) QTest::newRow(qPrintable(QString::number(size))) << size;
}

void SynchronizerTest::circles_are_refused_at_once_and_named() {
    QFETCH(int, size);
    const auto owner = [](int i) { return LockOwner{static_cast<std::uint64_t>(i) + 1, 9}; };
    const auto slot = [](int i) { return static_cast<std::uint32_t>(i); };
    for (int i = 0; i < size; ++i)
        QCOMPARE(bench().ask(owner(i), slot(i), kWrite).state, LockState::granted);
    for (int i = 0; i + 1 < size; ++i)
        QCOMPARE(bench().ask(owner(i), slot(i + 1), kWrite).state, LockState::queued);
    const auto refused = bench().ask(owner(size - 1), slot(0), kRead);
    QCOMPARE(refused.state, LockState::deadlock);
    QCOMPARE(refused.cycle.size(), static_cast<std::size_t>(size));
    for (int i = 0; i < size; ++i) {
        const auto& edge = refused.cycle[static_cast<std::size_t>(i)];
        const int from = (size - 1 + i) % size;
        QCOMPARE(edge.from, owner(from));
        QCOMPARE(edge.to, owner((from + 1) % size));
        QCOMPARE(edge.slot, slot((from + 1) % size));
        QVERIFY(edge.held);
    }
}

void SynchronizerTest::a_refused_request_changed_nothing() {
    const auto ann = bench().ask(kAnn, kX, kWrite);
    bench().ask(kBob, kY, kWrite);
    const auto bob = bench().ask(kBob, kX, kRead);
    QCOMPARE(bench().ask(kAnn, kY, kWrite).state, LockState::deadlock);
    QVERIFY(sync().waiters(kY).empty());
    QVERIFY(bench().unlock(kAnn, kX, ann.token));
    QCOMPARE(bench().poll(kBob, bob), LockState::granted);
}

void SynchronizerTest::a_place_in_the_queue_can_close_a_circle() {
    bench().ask(kAnn, kX, kRead);
    const auto bob = bench().ask(kBob, kY, kWrite);
    QCOMPARE(bench().ask(kCid, kX, kWrite).state, LockState::queued);
    QCOMPARE(bench().ask(kBob, kX, kRead).state, LockState::queued);  // behind Cid
    // Ann reads, as Bob would: but Bob will not be granted before Cid, who waits for Ann.
    const auto refused = bench().ask(kAnn, kY, kRead);
    QCOMPARE(refused.state, LockState::deadlock);
    QCOMPARE(refused.cycle.size(), 3U);
    QCOMPARE(refused.cycle[1].from, kBob);
    QCOMPARE(refused.cycle[1].to, kCid);
    QVERIFY(!refused.cycle[1].held);
    // An upgrade is ahead of everybody, so it waits for nobody in the queue.
    QCOMPARE(bench().ask(kAnn, kX, kWrite).state, LockState::granted);
}

void SynchronizerTest::threads_of_one_client_are_not_taken_for_each_other() {
    const LockOwner one{1, 11};
    const LockOwner other{1, 12};
    bench().ask(one, kX, kWrite);
    QCOMPARE(bench().ask(kBob, kY, kWrite).state, LockState::granted);
    QCOMPARE(bench().ask(kBob, kX, kWrite).state, LockState::queued);
    QCOMPARE(bench().ask(other, kY, kWrite).state, LockState::queued);  // no circle: it has nothing
    QCOMPARE(bench().ask(one, kZ, kWrite).state, LockState::granted);
    QCOMPARE(bench().ask(one, kY, kWrite).state, LockState::deadlock);
}

void SynchronizerTest::a_thread_that_uses_two_clients_waits_as_one() {
    constexpr LockOwner kOne{1, 100}, kTwo{2, 100}, kThird{3, 100}, kElse{4, 400};
    bench().process = 77;
    const auto one = bench().ask(kOne, kX, kWrite);
    const auto waits = bench().ask(kTwo, kX, kRead);
    QCOMPARE(waits.state, LockState::deadlock);
    QCOMPARE(waits.cycle.size(), 1U);
    QVERIFY(waits.cycle.front().from == kTwo && waits.cycle.front().to == kOne);
    QCOMPARE(bench().ask(kTwo, kX, kRead, 0).state, LockState::timed_out);

    bench().process = 78;
    bench().ask(kElse, kY, kWrite);
    QCOMPARE(bench().ask(kElse, kX, kWrite).state, LockState::queued);
    bench().process = 77;
    const auto circle = bench().ask(kThird, kY, kWrite);
    QCOMPARE(circle.state, LockState::deadlock);
    QCOMPARE(circle.cycle.size(), 2U);
    QVERIFY(circle.cycle.front().from == kThird && circle.cycle.back().to == kOne);

    // What it waits for through one client counts for what it has through another.
    QVERIFY(bench().unlock(kOne, kX, one.token));
    bench().ask(kOne, kZ, kWrite);
    QCOMPARE(bench().ask(kTwo, kY, kRead).state, LockState::queued);
    bench().process = 78;
    QCOMPARE(bench().ask(kElse, kZ, kRead).state, LockState::deadlock);

    // A new manager is told whose the locks are.
    bench().restart();
    sync().set_process(kOne.serial, 77);
    bench().process = 77;
    QCOMPARE(bench().ask(kThird, kZ, kRead).state, LockState::deadlock);
    sync().drop(kOne.serial);
    QCOMPARE(bench().ask(kThird, kZ, kRead).state, LockState::granted);
}

void SynchronizerTest::
    owners_of_two_clients_are_the_same_only_if_they_are_threads_of_one_process() {
    bench().process = 77;
    bench().ask({1, 100}, kX, kWrite);
    bench().ask({1, kFirstOwner + 1}, kY, kWrite);
    QCOMPARE(bench().ask({2, 101}, kX, kWrite).state, LockState::queued);
    QCOMPARE(bench().ask({2, kFirstOwner + 1}, kY, kWrite).state, LockState::queued);
    for (const std::uint64_t process : {78U, 0U}) {
        bench().process = process;
        QCOMPARE(bench().ask({3 + process, 100}, kX, kWrite).state, LockState::queued);
    }
}

void SynchronizerTest::no_client_takes_the_whole_table() {
    for (std::uint32_t slot = 0;; ++slot) {
        const auto answer = sync().ask({slot, 1, kAnn, kRead, slot + 1, 0});
        if (!answer) {
            QCOMPARE(answer.error().code, ErrorCode::reference_limit);
            QVERIFY(slot > 1000 && slot < layout::kMaxLocks / 2);
            break;
        }
    }
    QCOMPARE(bench().ask(kBob, kX, kRead).state, LockState::granted);
    QCOMPARE(bench().ask(kAnn, kX, kRead).state, LockState::granted);  // deeper needs no record
}

QTEST_GUILESS_MAIN(SynchronizerTest)
#include "tst_synchronizer.moc"
