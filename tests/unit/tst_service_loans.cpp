// SPDX-License-Identifier: MIT
// Locks that are lent for a moment to a program that waited, while others still wait.
#include <QtTest>

#include "lock_programs.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

class ServiceLoans : public QObject, private LockPrograms {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        start();
        eve_ = std::make_unique<Program>(bench_->service, Credentials{300, kUser, 500});
    }
    void cleanup() {
        eve_.reset();
        stop();
    }
    void who_waited_is_lent_the_lock_while_others_wait();
    void the_order_of_the_queue_is_kept();
    void a_loan_ends_by_itself();
    void a_held_lock_ends_its_loan_when_it_is_released();
    void without_waiters_a_request_ends_it();
    void a_deadlock_through_a_lent_lock_is_found();
    void a_program_that_waits_is_lent_nothing();
    void a_dead_borrower_makes_the_region_inconsistent();
    void a_deallocated_region_ends_loan_and_waits();
    void a_killed_manager_ends_all_loans();
    void who_waits_for_a_lent_lock_is_shown();

  private:
    // Ann has it, Bob and Eve wait; Ann releases. Bob's answer: a loan.
    LockReply lend() {
        const auto first = lock(*ann_, *region_, kWrite);
        bob_waits_ = lock(*bob_, *region_, kWrite);
        eve_waits_ = lock(*eve_, *region_, kWrite);
        if (!unlock(*ann_, *region_, first.token)) qFatal("not released");
        auto told = service().lock_wait(bob_->caller(), bob_waits_.ticket);
        if (!told || !told->delegation) qFatal("not lent");
        return *told;
    }
    LockState state_of_eve() {
        return service().lock_wait(eve_->caller(), eve_waits_.ticket).value().state;
    }
    void let_it_end() {
        QTest::qWait(static_cast<int>(Synchronizer::kLoan / 1'000'000) + 1);
        QVERIFY(service().has_loans());
        (void)service().run_slice(state().registry.time());
        QVERIFY(!service().has_loans());
    }

    std::unique_ptr<Program> eve_;
    LockReply bob_waits_, eve_waits_;
};

void ServiceLoans::who_waited_is_lent_the_lock_while_others_wait() {
    const auto told = lend();
    QVERIFY(service().has_loans());
    QVERIFY(give(*bob_, *region_, told, told.token));
    for (int i = 0; i < 100; ++i) {
        const auto token = take(*bob_, *region_, told, true);
        QVERIFY(token != 0);
        QVERIFY(give(*bob_, *region_, told, token));
    }
}

void ServiceLoans::the_order_of_the_queue_is_kept() {
    const auto told = lend();
    QVERIFY(give(*bob_, *region_, told, told.token));
    // It is not free, also for who does not want to wait.
    QCOMPARE(lock(*ann_, *region_, kWrite, 0).state, LockState::timed_out);
    const auto ann_waits = lock(*ann_, *region_, kWrite);
    QCOMPARE(ann_waits.state, LockState::queued);
    QVERIFY(take(*bob_, *region_, told, true) != 0);  // their requests do not end the loan
    let_it_end();
    QCOMPARE(state_of_eve(), LockState::queued);  // Bob has it
    const auto bob = shown().front().holders.front();
    QCOMPARE(bob.pid, 200);
    QVERIFY(unlock(*bob_, *region_, bob.token));
    const auto eve = service().lock_wait(eve_->caller(), eve_waits_.ticket).value();
    QCOMPARE(eve.state, LockState::granted);
    QVERIFY(eve.delegation.has_value());  // Ann waits
    QVERIFY(give(*eve_, *region_, eve, eve.token));
    let_it_end();
    QCOMPARE(service().lock_wait(ann_->caller(), ann_waits.ticket).value().state,
             LockState::granted);
}

void ServiceLoans::a_loan_ends_by_itself() {
    const auto told = lend();
    QVERIFY(give(*bob_, *region_, told, told.token));
    QCOMPARE(state_of_eve(), LockState::queued);
    let_it_end();
    QCOMPARE(take(*bob_, *region_, told, true), 0U);
    QCOMPARE(state_of_eve(), LockState::granted);
}

void ServiceLoans::a_held_lock_ends_its_loan_when_it_is_released() {
    const auto told = lend();
    let_it_end();
    QCOMPARE(state_of_eve(), LockState::queued);
    QVERIFY(!give(*bob_, *region_, told, told.token));
    QVERIFY(unlock(*bob_, *region_, told.token));
    QCOMPARE(state_of_eve(), LockState::granted);
}

void ServiceLoans::without_waiters_a_request_ends_it() {
    const auto told = lend();
    QVERIFY(give(*bob_, *region_, told, told.token));
    QCOMPARE(service().lock_cancel(eve_->caller(), eve_waits_.ticket).value().state,
             LockState::timed_out);
    QCOMPARE(lock(*ann_, *region_, kWrite, 0).state, LockState::granted);
    QCOMPARE(take(*bob_, *region_, told, true), 0U);
}

void ServiceLoans::a_deadlock_through_a_lent_lock_is_found() {
    auto other = ann_->allocate(1);
    QVERIFY(other.has_value());
    const auto eves = lock(*eve_, *other, kWrite);
    QCOMPARE(eves.state, LockState::granted);
    lend();  // Bob holds the region, Eve waits for it and holds the other
    QCOMPARE(lock(*bob_, *other, kWrite).state, LockState::deadlock);
    QCOMPARE(state_of_eve(), LockState::queued);
}

void ServiceLoans::a_program_that_waits_is_lent_nothing() {
    auto other = ann_->allocate(1);
    QVERIFY(other.has_value());
    QCOMPARE(lock(*ann_, *other, kWrite).state, LockState::granted);
    const auto first = lock(*ann_, *region_, kWrite);
    const auto bob_waits = lock(*bob_, *region_, kWrite);
    lock(*eve_, *region_, kWrite);
    QCOMPARE(lock(*bob_, *other, kWrite, kLockForever, 0, kThread + 1).state, LockState::queued);
    QVERIFY(unlock(*ann_, *region_, first.token));
    const auto told = service().lock_wait(bob_->caller(), bob_waits.ticket).value();
    QCOMPARE(told.state, LockState::granted);
    QVERIFY(!told.delegation.has_value());
}

void ServiceLoans::a_dead_borrower_makes_the_region_inconsistent() {
    lend();
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    QVERIFY(inconsistent());
    const auto eve = service().lock_wait(eve_->caller(), eve_waits_.ticket).value();
    QCOMPARE(eve.state, LockState::granted);
    QVERIFY(eve.inconsistent);
    QVERIFY(!eve.delegation.has_value());
}

void ServiceLoans::a_deallocated_region_ends_loan_and_waits() {
    const auto told = lend();
    QVERIFY(give(*bob_, *region_, told, told.token));
    QVERIFY(service().deallocate(ann_->caller(), region_->id, false).has_value());
    QVERIFY(!service().lock_wait(eve_->caller(), eve_waits_.ticket).has_value());
    QCOMPARE(take(*bob_, *region_, told, true), 0U);
    let_it_end();
    QVERIFY(shown().empty());
}

void ServiceLoans::a_killed_manager_ends_all_loans() {
    const auto told = lend();
    bench_->restart();
    QVERIFY(!service().has_loans());
    QCOMPARE(shown().front().holders.front().pid, 200);
    QVERIFY(give(*bob_, *region_, told, told.token));
    // Eve asks again, as the client library does for a ticket that is unknown.
    QCOMPARE(state_of_eve(), LockState::unknown);
    QCOMPARE(lock(*eve_, *region_, kWrite).state, LockState::granted);
}

void ServiceLoans::who_waits_for_a_lent_lock_is_shown() {
    lend();
    const auto all = shown();
    QCOMPARE(all.size(), std::size_t{1});
    QCOMPARE(all.front().holders.front().pid, 200);
    QCOMPARE(all.front().waiters.size(), std::size_t{1});
    QCOMPARE(all.front().waiters.front().waits_for, std::vector<std::int64_t>{200});
}

QTEST_GUILESS_MAIN(ServiceLoans)
#include "moc_service_bench.cpp"
#include "tst_service_loans.moc"
