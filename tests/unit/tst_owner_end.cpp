// SPDX-License-Identifier: MIT
// What the end of the process that allocated a region means for it.
#include <QtTest>

#include "service_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

Q_DECLARE_METATYPE(snakepit::shm::CleanupPolicy)
Q_DECLARE_METATYPE(snakepit::shm::OwnerEnd)

namespace {

RegionOptions with(CleanupPolicy policy, OwnerEnd end, std::int64_t timeout_ms = 0) {
    RegionOptions options;
    options.cleanup_policy = policy;
    options.owner_end = end;
    options.timeout_ms = timeout_ms;
    options.name = "data";
    return options;
}

}  // namespace

class OwnerEndTest : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void an_idle_region_ends_as_it_says_data();
    void an_idle_region_ends_as_it_says();
    void a_kept_region_still_ends_by_its_timeout();
    void a_withdrawn_region_lives_with_its_holders_and_its_name_is_free();
    void a_manager_that_was_killed_between_the_two_events_withdraws();
    void a_region_that_is_being_moved_is_withdrawn_too();
    void what_is_in_quarantine_stays_there();
    void a_user_that_owns_a_region_does_not_end();
    void it_survives_a_restart_and_is_in_the_event();
    void threads_that_wait_for_its_lock_are_told();

  private:
    // user_ is killed and the manager hears of it.
    void kill_owner() {
        user_->die();
        QVERIFY(service().reap_if_dead(user_->client()));
    }
    void pass(std::int64_t seconds) {
        const auto at = state().registry.time() + seconds * kSecond;
        service().tick(at);
        service().tick(at);
    }
};

void OwnerEndTest::an_idle_region_ends_as_it_says_data() {
    QTest::addColumn<CleanupPolicy>("policy");
    QTest::addColumn<OwnerEnd>("end");
    QTest::addColumn<bool>("at_once");
    QTest::addColumn<bool>("after_grace");
    const auto row = [](const char* name, CleanupPolicy policy, OwnerEnd end, bool at_once,
                        bool after_grace) {
        QTest::newRow(name) << policy << end << at_once << after_grace;
    };
    using P = CleanupPolicy;
    row("automatic by default", P::automatic, OwnerEnd::automatic, false, true);
    row("automatic, grace", P::automatic, OwnerEnd::grace, false, true);
    row("automatic, keep", P::automatic, OwnerEnd::keep, false, false);
    row("automatic, withdraw", P::automatic, OwnerEnd::withdraw, true, true);
    row("manual by default", P::manual, OwnerEnd::automatic, false, false);
    row("manual, keep", P::manual, OwnerEnd::keep, false, false);
    row("manual, grace", P::manual, OwnerEnd::grace, false, true);
    row("manual, withdraw", P::manual, OwnerEnd::withdraw, true, true);
    // As its references end, whatever happens to its owner.
    row("counted, keep", P::reference_counted, OwnerEnd::keep, false, true);
    row("counted, grace", P::reference_counted, OwnerEnd::grace, false, true);
    row("counted, withdraw", P::reference_counted, OwnerEnd::withdraw, true, true);
}

void OwnerEndTest::an_idle_region_ends_as_it_says() {
    QFETCH(CleanupPolicy, policy);
    QFETCH(OwnerEnd, end);
    QFETCH(bool, at_once);
    QFETCH(bool, after_grace);
    Program other(bench_->service, {101, 5000, 500});
    const auto grant = user_->allocate(4096, with(policy, end));
    QVERIFY(grant.has_value());
    QCOMPARE(service().info(other.caller(), grant->id)->owner_end, resolved(end, policy));
    pass(3600);
    if (policy != CleanupPolicy::reference_counted) QVERIFY(bench_->has(grant->id));
    if (!bench_->has(grant->id)) return;
    kill_owner();
    QCOMPARE(bench_->has(grant->id), !at_once);
    pass(1);
    QCOMPARE(bench_->has(grant->id), !at_once);
    pass(60);
    QCOMPARE(bench_->has(grant->id), !after_grace);
    QCOMPARE(service().resolve(other.caller(), "data").has_value(), !after_grace);
}

void OwnerEndTest::a_kept_region_still_ends_by_its_timeout() {
    const auto grant =
        user_->allocate(4096, with(CleanupPolicy::automatic, OwnerEnd::keep, 60'000));
    kill_owner();
    pass(30);
    QVERIFY(bench_->has(grant->id));
    pass(61);
    QVERIFY(!bench_->has(grant->id));
}

void OwnerEndTest::a_withdrawn_region_lives_with_its_holders_and_its_name_is_free() {
    Program holder(bench_->service, {101, 5000, 500});
    const auto grant = user_->allocate(4096, with(CleanupPolicy::automatic, OwnerEnd::withdraw));
    const auto held = holder.map(grant->id);
    QVERIFY(holder.take(*held));
    kill_owner();
    QCOMPARE(service().info(holder.caller(), grant->id)->state, RegionState::closing);
    QCOMPARE(code(holder.map(grant->id)), ErrorCode::region_not_found);
    QCOMPARE(code(service().resolve(holder.caller(), "data")), ErrorCode::region_not_found);
    const auto next = holder.allocate(4096, with(CleanupPolicy::automatic, OwnerEnd::withdraw));
    QVERIFY(next.has_value());
    bench_->restart();
    QVERIFY(bench_->has(grant->id));
    QCOMPARE(*service().resolve(holder.caller(), "data"), next->id);
    QVERIFY(holder.give(*held));
    pass(1);
    QVERIFY(!bench_->has(grant->id));
    QCOMPARE(bench_->count_events(grant->id, EventKind::withdrawn), std::size_t{1});
    QCOMPARE(bench_->count_events(grant->id, EventKind::owner_gone), std::size_t{1});
}

void OwnerEndTest::a_manager_that_was_killed_between_the_two_events_withdraws() {
    Program holder(bench_->service, {101, 5000, 500});
    const auto grant = user_->allocate(4096, with(CleanupPolicy::automatic, OwnerEnd::withdraw));
    const auto held = holder.map(grant->id);
    QVERIFY(holder.take(*held));
    bench_->kill();
    user_->die();
    bench_->edit([&](auto view) {
        auto word = layout::Control::decode(view.slot(grant->slot).control.load());
        word.orphan = true;
        view.slot(grant->slot).control.store(word.encode());
    });
    bench_->start();
    QCOMPARE(service().info(holder.caller(), grant->id)->state, RegionState::closing);
    QCOMPARE(bench_->count_events(grant->id, EventKind::withdrawn), std::size_t{1});
}

void OwnerEndTest::a_region_that_is_being_moved_is_withdrawn_too() {
    // The first is freed, so that the second moves down into its place.
    RegionOptions plain;
    const auto first = user_->allocate(8 << 20, plain);
    auto options = with(CleanupPolicy::automatic, OwnerEnd::withdraw);
    Program other(bench_->service, {101, 5000, 500});
    const auto grant = user_->allocate(8 << 20, options);
    QVERIFY(*service().deallocate(user_->caller(), first->id, false));
    service().tick(state().registry.time());
    bench_->later = true;
    service().defragment();
    QVERIFY(service().moving(grant->id));
    kill_owner();
    QCOMPARE(code(service().resolve(other.caller(), "data")), ErrorCode::region_not_found);
    while (!bench_->long_work.empty()) {
        const auto next = std::move(bench_->long_work.front());
        bench_->long_work.pop_front();
        next();
    }
    pass(60);
    QVERIFY(!bench_->has(grant->id));
}

void OwnerEndTest::what_is_in_quarantine_stays_there() {
    const auto grant = user_->allocate(4096, with(CleanupPolicy::automatic, OwnerEnd::withdraw));
    Program other(bench_->service, {101, 5000, 500});
    QVERIFY(!*service().quarantine(user_->caller(), grant->id));
    kill_owner();
    QCOMPARE(service().info(other.caller(), grant->id)->state, RegionState::quarantined);
    QVERIFY(service().restore(other.caller(), grant->id).has_value());
}

void OwnerEndTest::a_user_that_owns_a_region_does_not_end() {
    auto options = with(CleanupPolicy::automatic, OwnerEnd::withdraw);
    options.owned_by_user = true;
    const auto grant = user_->allocate(4096, options);
    kill_owner();
    pass(60);
    QVERIFY(bench_->has(grant->id));
}

void OwnerEndTest::it_survives_a_restart_and_is_in_the_event() {
    Program other(bench_->service, {101, 5000, 500});
    const auto grant = user_->allocate(4096, with(CleanupPolicy::manual, OwnerEnd::grace));
    bench_->restart();
    QCOMPARE(service().info(other.caller(), grant->id)->owner_end, OwnerEnd::grace);
    kill_owner();
    const auto event = bench_->last_event(grant->id, EventKind::owner_gone);
    QCOMPARE(event.count, static_cast<std::uint32_t>(OwnerEnd::grace));
    QCOMPARE(std::string(event.text), "manual");
}

void OwnerEndTest::threads_that_wait_for_its_lock_are_told() {
    Program holder(bench_->service, {101, 5000, 500});
    Program waiter(bench_->service, {102, 5000, 500});
    const auto grant = user_->allocate(4096, with(CleanupPolicy::automatic, OwnerEnd::withdraw));
    const auto lock = [&](const Program& program) {
        return service().lock(program.caller(),
                              {grant->id, AccessMode::read_write, kLockForever, 1, 1});
    };
    QCOMPARE(lock(holder)->state, LockState::granted);
    const auto queued = lock(waiter);
    QCOMPARE(queued->state, LockState::queued);
    kill_owner();
    QCOMPARE(code(service().lock_wait(waiter.caller(), queued->ticket)),
             ErrorCode::region_not_found);
}

QTEST_GUILESS_MAIN(OwnerEndTest)
#include "moc_service_bench.cpp"
#include "tst_owner_end.moc"
