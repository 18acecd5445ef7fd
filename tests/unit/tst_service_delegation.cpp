// SPDX-License-Identifier: MIT
// Locks that programs take and release in their lease pages, and everything that ends that.
#include <QtTest>

#include "lock_programs.h"
#include "security/policy_text.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;
using layout::LockWord;

class ServiceDelegation : public QObject, private LockPrograms {
    Q_OBJECT

  private Q_SLOTS:
    void init() { start(); }
    void cleanup() { stop(); }
    void a_lock_that_nobody_else_wants_is_delegated();
    void a_local_hold_is_a_lock_like_any_other_data();
    void a_local_hold_is_a_lock_like_any_other();
    void an_idle_delegation_is_nobodys_lock();
    void who_asks_is_queued_behind_a_local_hold();
    void a_local_hold_is_released_by_a_request_after_the_recall();
    void a_lock_that_somebody_waits_for_is_not_delegated();
    void another_thread_of_the_same_program_shares_a_read_lock();
    void a_reader_that_asks_to_write_keeps_its_levels();
    void a_dead_local_writer_makes_the_region_inconsistent();
    void an_inconsistent_region_is_not_delegated();
    void a_reader_cannot_claim_to_write();
    void nonsense_in_a_page_harms_its_program_alone();
    void an_unreadable_page_counts_as_held_until_its_program_ends();
    void some_regions_are_never_delegated();
    void a_seal_and_a_policy_end_it();
    void an_administrator_takes_a_local_hold_away();
    void a_deallocated_region_does_not_wait_for_an_idle_delegation();
    void use_keeps_a_region_young_without_requests();
    void delegations_outlive_a_killed_manager();
    void killed_anywhere_in_a_recall_the_next_manager_does_it_again_data();
    void killed_anywhere_in_a_recall_the_next_manager_does_it_again();
    void killed_before_the_record_the_grant_is_an_ordinary_lock();
    void a_lost_answer_is_given_again_and_counts_once();
    void a_cancelled_request_leaves_nothing();
    void idle_delegations_make_room_for_others();
};

void ServiceDelegation::a_lock_that_nobody_else_wants_is_delegated() {
    const auto told = lock(*ann_, *region_, kWrite);
    QCOMPARE(told.state, LockState::granted);
    QVERIFY(told.delegation.has_value());
    QCOMPARE(told.delegation->slot, region_->slot);
    QVERIFY(told.delegation->writable);
    QVERIFY(give(*ann_, *region_, told, told.token));
    const auto again = take(*ann_, *region_, told, true);
    QVERIFY(again != 0 && again != told.token);
    QVERIFY(give(*ann_, *region_, told, again));
    QVERIFY(!lock(*bob_, *region_, kRead).delegation->writable);
}

void ServiceDelegation::a_local_hold_is_a_lock_like_any_other_data() {
    QTest::addColumn<bool>("write");
    QTest::newRow("read") << false;
    QTest::newRow("write") << true;
}

void ServiceDelegation::a_local_hold_is_a_lock_like_any_other() {
    QFETCH(bool, write);
    const auto told = idle(*bob_, *region_);
    const auto token = take(*bob_, *region_, told, write);
    take(*bob_, *region_, told, write);
    QCOMPARE(bench_->references(ann_->caller(), region_->id), 1U);
    QCOMPARE(service().info(ann_->caller(), region_->id)->references.back().pid, 200);
    QCOMPARE(state().synchronizer.held_count(), std::size_t{1});
    const auto all = shown();
    QCOMPARE(all.size(), std::size_t{1});
    QCOMPARE(all.front().id, region_->id);
    QCOMPARE(all.front().holders.size(), std::size_t{1});
    const auto& holder = all.front().holders.front();
    QCOMPARE(holder.pid, 200);
    QCOMPARE(holder.thread, kThread);
    QCOMPARE(holder.mode, write ? kWrite : kRead);
    QCOMPARE(holder.depth, 2U);
    QCOMPARE(holder.token, token);
    QCOMPARE(ann_->cleanup({.all_eligible = true, .only = {region_->id}}).removed, 0U);
    QCOMPARE(service().deallocate(ann_->caller(), region_->id, false).value(), false);
    QVERIFY(bench_->has(region_->id));
    QVERIFY(!give(*bob_, *region_, told, token));  // the manager has taken it back
    QVERIFY(unlock(*bob_, *region_, token));
    QVERIFY(bench_->has(region_->id));
    QVERIFY(unlock(*bob_, *region_, token));
    QVERIFY(!bench_->has(region_->id));
}

void ServiceDelegation::an_idle_delegation_is_nobodys_lock() {
    idle(*bob_, *region_);
    QCOMPARE(bench_->references(ann_->caller(), region_->id), 0U);
    QCOMPARE(state().synchronizer.held_count(), std::size_t{0});
    QVERIFY(shown().empty());
    QCOMPARE(lock(*ann_, *region_, kWrite, 0).state, LockState::granted);
}

void ServiceDelegation::who_asks_is_queued_behind_a_local_hold() {
    const auto told = idle(*ann_, *region_);
    const auto token = take(*ann_, *region_, told, true);
    QCOMPARE(lock(*bob_, *region_, kRead, 0).state, LockState::timed_out);
    const auto waiting = lock(*bob_, *region_, kRead);
    QCOMPARE(waiting.state, LockState::queued);
    QVERIFY(unlock(*ann_, *region_, token));
    const auto granted = service().lock_wait(bob_->caller(), waiting.ticket);
    QCOMPARE(granted->state, LockState::granted);
}

void ServiceDelegation::a_local_hold_is_released_by_a_request_after_the_recall() {
    const auto told = idle(*ann_, *region_);
    const auto stale = take(*ann_, *region_, told, true);
    QVERIFY(give(*ann_, *region_, told, stale));
    const auto token = take(*ann_, *region_, told, true);
    QCOMPARE(take(*ann_, *region_, told, false), token);
    QCOMPARE(lock(*bob_, *region_, kRead, 0).state, LockState::timed_out);
    QVERIFY(!give(*ann_, *region_, told, token));
    QCOMPARE(take(*ann_, *region_, told, true), 0U);
    QVERIFY(!unlock(*ann_, *region_, stale));
    QVERIFY(unlock(*ann_, *region_, token));
    QCOMPARE(lock(*bob_, *region_, kRead, 0).state, LockState::timed_out);
    QVERIFY(unlock(*ann_, *region_, token));
    QVERIFY(!unlock(*ann_, *region_, token));
    QCOMPARE(lock(*bob_, *region_, kRead, 0).state, LockState::granted);
}

void ServiceDelegation::a_lock_that_somebody_waits_for_is_not_delegated() {
    const auto first = lock(*ann_, *region_, kWrite);
    QCOMPARE(lock(*bob_, *region_, kWrite).state, LockState::queued);
    const auto deeper = lock(*ann_, *region_, kWrite);
    QCOMPARE(deeper.token, first.token);
    QVERIFY(!deeper.delegation.has_value());
}

void ServiceDelegation::another_thread_of_the_same_program_shares_a_read_lock() {
    const auto told = idle(*ann_, *region_);
    const auto token = take(*ann_, *region_, told, false);
    const auto other = lock(*ann_, *region_, kRead, 0, 0, kThread + 1);
    QCOMPARE(other.state, LockState::granted);
    QVERIFY(!other.delegation.has_value());
    QVERIFY(other.token != token);
    QCOMPARE(shown().front().holders.size(), std::size_t{2});
    QVERIFY(unlock(*ann_, *region_, token));
    QVERIFY(unlock(*ann_, *region_, other.token));
    QVERIFY(lock(*ann_, *region_, kRead).delegation.has_value());
}

void ServiceDelegation::a_reader_that_asks_to_write_keeps_its_levels() {
    const auto reads = lock(*ann_, *region_, kRead);
    QVERIFY(!reads.delegation->writable);
    QCOMPARE(take(*ann_, *region_, reads, true), 0U);  // it may not without the manager
    const auto writes = lock(*ann_, *region_, kWrite);
    QCOMPARE(writes.token, reads.token);
    QVERIFY(writes.delegation->writable);
    QVERIFY(!give(*ann_, *region_, reads, reads.token));
    QCOMPARE(shown().front().holders.front().depth, 2U);
    QVERIFY(give(*ann_, *region_, writes, writes.token));
    QCOMPARE(shown().front().holders.front().mode, kRead);
    QVERIFY(give(*ann_, *region_, writes, writes.token));
    QVERIFY(shown().empty());
}

void ServiceDelegation::a_dead_local_writer_makes_the_region_inconsistent() {
    const auto told = idle(*bob_, *region_);
    take(*bob_, *region_, told, false);
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    QVERIFY(!inconsistent());  // it only read
    const auto own = idle(*ann_, *region_);
    take(*ann_, *region_, own, true);
    ann_->die();
    QVERIFY(service().reap_if_dead(ann_->client()));
    QVERIFY(inconsistent());
    QCOMPARE(bench_->count_events(region_->id, EventKind::lock_broken), std::size_t{1});
}

void ServiceDelegation::an_inconsistent_region_is_not_delegated() {
    lock(*bob_, *region_, kWrite);
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    const auto held = lock(*ann_, *region_, kWrite);
    QVERIFY(held.inconsistent && !held.delegation.has_value());
    QVERIFY(unlock(*ann_, *region_, held.token));
    QVERIFY(!inconsistent());
    QVERIFY(lock(*ann_, *region_, kWrite).delegation.has_value());
}

void ServiceDelegation::a_reader_cannot_claim_to_write() {
    lock(*bob_, *region_, kRead);
    auto& word = page(*bob_, *region_).word;
    auto claim = LockWord::decode(word.load());
    claim.write = 3;
    word.store(claim.encode());
    QCOMPARE(shown().front().holders.front().mode, kRead);
    QCOMPARE(lock(*ann_, *region_, kRead, 0).state, LockState::granted);
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    QVERIFY(!inconsistent());
}

void ServiceDelegation::nonsense_in_a_page_harms_its_program_alone() {
    for (const std::uint64_t nonsense :
         {0ULL, ~0ULL, 0xFFFF'FFFF'FFFF'F801ULL, 0x7C5ULL, 0xDEAD'BEEF'0000'0FFDULL}) {
        idle(*bob_, *region_);
        page(*bob_, *region_).word.store(nonsense);
        page(*bob_, *region_).base.store(nonsense);
        bob_->lease().mark(region_->slot);
        tick();
        (void)shown();
        const auto mine = lock(*ann_, *region_, kWrite, 0);
        if (mine.state == LockState::granted) {
            QVERIFY(give(*ann_, *region_, mine, mine.token) || unlock(*ann_, *region_, mine.token));
            continue;
        }
        QCOMPARE(mine.state, LockState::timed_out);  // it claims to have the lock
        bob_->die();
        QVERIFY(service().reap_if_dead(bob_->client()));
        const auto after = lock(*ann_, *region_, kWrite, 0);
        QCOMPARE(after.state, LockState::granted);
        QVERIFY(unlock(*ann_, *region_, after.token));
        bob_ = std::make_unique<Program>(bench_->service, Credentials{200, kUser, 500});
    }
}

void ServiceDelegation::an_unreadable_page_counts_as_held_until_its_program_ends() {
    idle(*bob_, *region_);
    QCOMPARE(::ftruncate(bob_->liveness_lock().get(), 0), 0);
    QCOMPARE(lock(*ann_, *region_, kRead, 0).state, LockState::timed_out);
    QVERIFY(service().client(bob_->client()).hostile != 0);
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    QVERIFY(lock(*ann_, *region_, kWrite, 0).inconsistent);
}

void ServiceDelegation::some_regions_are_never_delegated() {
    RegionOptions audited;
    audited.audit_access = true;
    const auto one = ann_->allocate(1, audited);
    QVERIFY(one.has_value());
    QVERIFY(!lock(*ann_, *one, kRead).delegation.has_value());
    bench_->config.audit_access = true;
    bench_->reconfigure();
    const auto other = ann_->allocate(1);
    QVERIFY(!lock(*ann_, *other, kRead).delegation.has_value());
}

void ServiceDelegation::a_seal_and_a_policy_end_it() {
    const auto told = idle(*ann_, *region_);
    QVERIFY(ann_->take(*ann_->map(region_->id)));  // so that the seal has to wait
    service().seal(ann_->caller(), region_->id, [](const Result<bool>&) {});
    QCOMPARE(take(*ann_, *region_, told, true), 0U);
    QCOMPARE(service().lock(ann_->caller(), {region_->id, kWrite, 0, kThread, 99}).error().code,
             ErrorCode::read_only);
    QVERIFY(!lock(*ann_, *region_, kRead).delegation.has_value());

    const auto other = ann_->allocate(1);
    const auto held = lock(*bob_, *other, kWrite);
    QVERIFY(held.delegation.has_value());
    bool done = false;
    service().set_policy(ann_->caller(), other->id, R"({"permissions":{"owner":"ro"}})",
                         [&](const Result<std::string>& answer) {
                             done = answer.has_value();
                             if (!answer) qWarning("%s", answer.error().sentence().c_str());
                         });
    QVERIFY(done);
    QVERIFY(!give(*bob_, *other, held, held.token));  // it keeps what it has, as the manager's
    QVERIFY(unlock(*bob_, *other, held.token));
    QCOMPARE(service().lock(bob_->caller(), {other->id, kWrite, 0, kThread, 98}).error().code,
             ErrorCode::permission_denied);
}

void ServiceDelegation::an_administrator_takes_a_local_hold_away() {
    Caller administrator;
    administrator.credentials = {1, ::geteuid(), 0};
    const auto told = idle(*bob_, *region_);
    const auto token = take(*bob_, *region_, told, true);
    const auto released = service().release_locks(administrator, region_->id, token);
    QVERIFY(released.has_value());
    QCOMPARE(released->holders.front().pid, 200);
    QVERIFY(released->inconsistent);
    QVERIFY(!give(*bob_, *region_, told, token));
    QVERIFY(!unlock(*bob_, *region_, token));
}

void ServiceDelegation::a_deallocated_region_does_not_wait_for_an_idle_delegation() {
    const auto told = idle(*bob_, *region_);
    QCOMPARE(service().deallocate(ann_->caller(), region_->id, false).value(), true);
    QVERIFY(!bench_->has(region_->id));
    auto next = ann_->allocate(1);
    while (next->slot != region_->slot) {  // slots are used in turn
        QVERIFY(service().deallocate(ann_->caller(), next->id, false).value());
        next = ann_->allocate(1);
        QVERIFY(next.has_value());
    }
    const auto other = idle(*bob_, *next);
    QCOMPARE(take(*bob_, *region_, told, true), 0U);  // the same word, but another lock
    QVERIFY(take(*bob_, *next, other, true) != 0);
}

void ServiceDelegation::use_keeps_a_region_young_without_requests() {
    RegionOptions options;
    options.timeout_ms = 60'000;
    options.cleanup_policy = CleanupPolicy::automatic;
    const auto region = ann_->allocate(1, options);
    const auto told = idle(*bob_, *region);
    auto at = state().registry.time();
    service().tick(at);
    for (int i = 0; i < 5; ++i) {
        at += 40 * kSecond;
        const auto token = take(*bob_, *region, told, true);
        QVERIFY2(token != 0, "the region has ended");
        QVERIFY(give(*bob_, *region, told, token));
        service().tick(at);
    }
    QVERIFY(bench_->has(region->id));
    service().deallocate(ann_->caller(), region_->id, false);
    service().tick(at + 59 * kSecond);
    QVERIFY(bench_->has(region->id));
}

void ServiceDelegation::delegations_outlive_a_killed_manager() {
    const auto told = idle(*ann_, *region_);
    const auto other = ann_->allocate(1);
    const auto held = idle(*bob_, *other);
    const auto token = take(*bob_, *other, held, true);
    bench_->kill();
    const auto meanwhile = take(*ann_, *region_, told, false);
    QVERIFY(meanwhile != 0);
    bench_->start();
    QCOMPARE(shown().size(), std::size_t{2});
    QVERIFY(give(*ann_, *region_, told, meanwhile));
    QVERIFY(take(*ann_, *region_, told, true) != 0);
    QCOMPARE(lock(*ann_, *other, kRead, 0).state, LockState::timed_out);
    QVERIFY(!give(*bob_, *other, held, token));
    QVERIFY(unlock(*bob_, *other, token));
}

void ServiceDelegation::killed_anywhere_in_a_recall_the_next_manager_does_it_again_data() {
    QTest::addColumn<bool>("held");
    QTest::addColumn<bool>("dies");
    QTest::newRow("idle") << false << false;
    QTest::newRow("held") << true << false;
    QTest::newRow("idle, and the client dies") << false << true;
    QTest::newRow("held, and the client dies") << true << true;
}

// What the manager does first is in the page; the record follows (tests/model/delegation.pml).
void ServiceDelegation::killed_anywhere_in_a_recall_the_next_manager_does_it_again() {
    QFETCH(bool, held);
    QFETCH(bool, dies);
    const auto told = idle(*bob_, *region_);
    const auto token = held ? take(*bob_, *region_, told, true) : 0;
    bench_->kill();
    page(*bob_, *region_).recall();
    if (dies) bob_->die();
    bench_->start();
    if (dies) {
        QCOMPARE(inconsistent(), held);
        QCOMPARE(lock(*ann_, *region_, kWrite, 0).inconsistent, held);
        return;
    }
    QCOMPARE(lock(*ann_, *region_, kWrite, 0).state,
             held ? LockState::timed_out : LockState::granted);
    QVERIFY(!give(*bob_, *region_, told, token));
    QCOMPARE(unlock(*bob_, *region_, token), held);
    if (held) QCOMPARE(lock(*ann_, *region_, kWrite, 0).state, LockState::granted);
}

// The page says delegated, the record does not yet.
void ServiceDelegation::killed_before_the_record_the_grant_is_an_ordinary_lock() {
    const auto first = lock(*bob_, *region_, kRead);
    const auto second = lock(*bob_, *region_, kRead, 0, 0, kThread + 1);
    QVERIFY(!second.delegation.has_value());
    QVERIFY(unlock(*bob_, *region_, second.token));
    bench_->kill();
    page(*bob_, *region_).recall();
    page(*bob_, *region_).delegate(first.token, kThread, 1, 0);
    bench_->start();
    QCOMPARE(shown().front().holders.front().token, first.token);
    QVERIFY(unlock(*bob_, *region_, first.token));
    QVERIFY(shown().empty());
}

void ServiceDelegation::a_lost_answer_is_given_again_and_counts_once() {
    const auto first = lock(*ann_, *region_, kWrite, kLockForever, 70);
    bench_->restart();
    const auto again = lock(*ann_, *region_, kWrite, kLockForever, 70);
    QCOMPARE(again.state, LockState::granted);
    QCOMPARE(again.token, first.token);
    QVERIFY(again.delegation.has_value());
    QVERIFY(give(*ann_, *region_, again, again.token));
    QVERIFY(!give(*ann_, *region_, again, again.token));
    QVERIFY(shown().empty());
}

void ServiceDelegation::a_cancelled_request_leaves_nothing() {
    lock(*ann_, *region_, kWrite, kLockForever, 70);
    service().lock_request_cancel(ann_->caller(), region_->id, kThread, 71);
    QCOMPARE(shown().size(), std::size_t{1});
    service().lock_request_cancel(ann_->caller(), region_->id, kThread, 70);
    QVERIFY(shown().empty());
    QCOMPARE(lock(*bob_, *region_, kWrite, 0).state, LockState::granted);
}

void ServiceDelegation::idle_delegations_make_room_for_others() {
    constexpr std::size_t kMore = 1100;
    bench_->config.max_regions = bench_->config.max_regions_per_process = 2 * kMore;
    bench_->reconfigure();
    std::vector<std::pair<Grant, LockReply>> all;
    for (std::size_t i = 0; i < kMore; ++i) {
        auto region = ann_->allocate(1);
        QVERIFY(region.has_value());
        const auto told = lock(*bob_, *region, kWrite);
        QVERIFY(told.delegation.has_value());
        if (i != 0) QVERIFY(give(*bob_, *region, told, told.token));
        all.emplace_back(std::move(*region), told);
    }
    std::size_t usable = 0;
    for (std::size_t i = 1; i < kMore; ++i)
        usable += take(*bob_, all[i].first, all[i].second, true) != 0 ? 1 : 0;
    QVERIFY(usable >= 1000 && usable <= 1024);
    // The first was held when it had to make room.
    QVERIFY(!give(*bob_, all[0].first, all[0].second, all[0].second.token));
    QVERIFY(unlock(*bob_, all[0].first, all[0].second.token));
}

QTEST_GUILESS_MAIN(ServiceDelegation)
#include "moc_service_bench.cpp"
#include "tst_service_delegation.moc"
