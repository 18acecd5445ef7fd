// SPDX-License-Identifier: MIT
// What locks mean for regions and programs: references, permissions, death, restarts.
#include <unistd.h>

#include <QtTest>

#include "service_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr int kPatienceMs = 60'000;

constexpr auto kRead = AccessMode::read_only;
constexpr auto kWrite = AccessMode::read_write;

}  // namespace

class ServiceLocks : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        bench_ = std::make_unique<ServiceBench>();
        ann_ = std::make_unique<Program>(bench_->service, Credentials{100, kUser, 500});
        bob_ = std::make_unique<Program>(bench_->service, Credentials{200, kUser, 500});
        region_ = std::make_unique<Grant>(std::move(*ann_->allocate(1)));
        other_ = std::make_unique<Grant>(std::move(*ann_->allocate(1)));
    }
    void cleanup() {
        ann_.reset();
        bob_.reset();
        bench_.reset();
    }
    void a_lock_is_a_reference_and_no_region_ends_while_it_is_held();
    void a_locked_region_is_sealed_when_it_is_given_back();
    void whoever_may_not_map_a_region_may_not_lock_it();
    void who_waits_is_woken_through_its_page();
    void a_dead_writer_makes_the_region_inconsistent_until_a_writer_has_given_it_back();
    void a_dead_reader_leaves_no_doubt();
    void a_writer_that_dies_while_no_manager_runs_makes_it_inconsistent_too();
    void killed_between_the_doubt_and_the_end_of_the_lock_it_says_so_once();
    void killed_between_the_acknowledgement_and_the_release_the_writer_still_has_it();
    void a_holder_keeps_its_lock_over_a_restart_and_a_waiter_asks_again();
    void a_grant_whose_answer_was_lost_is_told_again();
    void those_who_wait_for_a_deallocated_region_are_told();
    void a_wait_that_times_out_is_recorded();
    void a_deadlock_names_programs_and_regions();
    void an_administrator_takes_a_lock_away();
    void locks_are_shown_with_who_waits_for_whom();
    void a_client_without_a_page_is_not_woken_and_harms_nobody();

  private:
    static constexpr std::uint32_t kUser = 5000;
    RegionService& service() { return *bench_->service; }
    ServiceState& state() { return *bench_->state; }
    LockReply lock(const Program& who, const Grant& what, AccessMode mode,
                   std::uint32_t timeout_ms = kLockForever, std::uint32_t request = 0) {
        const auto reply = service().lock(
            who.caller(), {what.id, mode, timeout_ms, 1, request != 0 ? request : ++requests_});
        if (!reply) qWarning("%s", reply.error().sentence().c_str());
        return reply.value_or(LockReply{LockState::deadlock});
    }
    bool unlock(const Program& who, const Grant& what, const LockReply& lock) {
        return service().unlock(who.caller(), what.id, lock.token, ++requests_).has_value();
    }
    LockReply poll(const Program& who, const LockReply& queued) {
        return service().lock_wait(who.caller(), queued.ticket).value_or(LockReply{});
    }
    bool inconsistent(const Grant& what) {
        return state().registry.control(what.slot).inconsistent;
    }
    int events(EventKind kind) {
        std::vector<layout::EventEntry> all(1000);
        all.resize(state().registry.ring().read(1, all));
        return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const auto& e) {
            return e.kind == static_cast<int>(kind);
        }));
    }
    std::unique_ptr<ServiceBench> bench_;
    std::unique_ptr<Program> ann_, bob_;
    std::unique_ptr<Grant> region_, other_;
    std::uint32_t requests_ = 0;
};

void ServiceLocks::a_lock_is_a_reference_and_no_region_ends_while_it_is_held() {
    const auto held = lock(*bob_, *region_, kRead);
    QCOMPARE(bench_->references(ann_->caller(), region_->id), 1U);
    const auto info = service().info(ann_->caller(), region_->id);
    QCOMPARE(info->references.back().pid, 200);
    QCOMPARE(ann_->cleanup({.all_eligible = true, .only = {region_->id}}).removed, 0U);
    QCOMPARE(service().deallocate(ann_->caller(), region_->id, false).value(), false);
    QVERIFY(bench_->has(region_->id));
    QCOMPARE(service().lock(ann_->caller(), {region_->id, kRead, 0, 1, 7}).error().code,
             ErrorCode::region_not_found);
    QVERIFY(unlock(*bob_, *region_, held));
    QVERIFY(!bench_->has(region_->id));
}

void ServiceLocks::a_locked_region_is_sealed_when_it_is_given_back() {
    const auto held = lock(*bob_, *region_, kRead);
    Result<bool> sealed = fail(ErrorCode::timeout, "no answer");
    service().seal(ann_->caller(), region_->id, [&](Result<bool> is) { sealed = std::move(is); });
    QCOMPARE(sealed.value(), false);
    QVERIFY(unlock(*bob_, *region_, held));
    QVERIFY(service().info(ann_->caller(), region_->id)->sealed);
    QCOMPARE(lock(*bob_, *region_, kRead, 0).state, LockState::granted);  // where it lives now
    QCOMPARE(service().lock(ann_->caller(), {region_->id, kWrite, 0, 1, 9}).error().code,
             ErrorCode::read_only);
}

void ServiceLocks::whoever_may_not_map_a_region_may_not_lock_it() {
    Program stranger(bench_->service, {300, 6000, 600});
    RegionOptions options;
    options.permissions.other = Permission::read_only;
    const auto readable = ann_->allocate(1, options);
    const auto code = [&](const RegionId& id, AccessMode mode) {
        const auto reply = service().lock(stranger.caller(), {id, mode, 0, 1, ++requests_});
        return reply ? ErrorCode{} : reply.error().code;
    };
    QCOMPARE(code(readable->id, kRead), ErrorCode{});
    QCOMPARE(code(readable->id, kWrite), ErrorCode::permission_denied);
    QCOMPARE(code(region_->id, kRead), ErrorCode::permission_denied);
    options.access_mode = AccessMode::read_only;
    options.permissions.other = Permission::read_write;
    const auto fixed = ann_->allocate(1, options);
    QCOMPARE(code(fixed->id, kWrite), ErrorCode::read_only);
    QCOMPARE(code(RegionId::generate(), kRead), ErrorCode::region_not_found);
    auto visitor = stranger.caller();
    visitor.client.reset();
    QCOMPARE(service().lock(visitor, {readable->id, kRead, 0, 1, 1}).error().code,
             ErrorCode::invalid_argument);
}

void ServiceLocks::who_waits_is_woken_through_its_page() {
    const auto held = lock(*ann_, *region_, kWrite);
    const auto waiting = lock(*bob_, *region_, kWrite);
    QCOMPARE(waiting.state, LockState::queued);
    const auto before = bob_->lease().wake().load();
    QCOMPARE(poll(*bob_, waiting).state, LockState::queued);
    QVERIFY(unlock(*ann_, *region_, held));
    QVERIFY(bob_->lease().wake().load() != before);
    QCOMPARE(poll(*bob_, waiting).state, LockState::granted);
}

void ServiceLocks::a_dead_writer_makes_the_region_inconsistent_until_a_writer_has_given_it_back() {
    QVERIFY(!lock(*bob_, *region_, kWrite).inconsistent);
    const auto waiting = lock(*ann_, *region_, kRead);
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    QVERIFY(service().info(ann_->caller(), region_->id)->inconsistent);
    const auto read = poll(*ann_, waiting);
    QCOMPARE(read.state, LockState::granted);
    QVERIFY(read.inconsistent);
    QVERIFY(unlock(*ann_, *region_, read));
    QVERIFY(inconsistent(*region_));  // reading it mends nothing
    const auto write = lock(*ann_, *region_, kWrite);
    QVERIFY(write.inconsistent);
    lock(*ann_, *region_, kWrite);
    QVERIFY(unlock(*ann_, *region_, write));
    QVERIFY(inconsistent(*region_));  // still writing
    QVERIFY(unlock(*ann_, *region_, write));
    QVERIFY(!inconsistent(*region_));
    QVERIFY(!lock(*ann_, *region_, kRead).inconsistent);
    QCOMPARE(events(EventKind::lock_broken), 1);
    QCOMPARE(events(EventKind::lock_acknowledged), 1);
}

void ServiceLocks::a_dead_reader_leaves_no_doubt() {
    lock(*bob_, *region_, kRead);
    const auto waiting = lock(*ann_, *region_, kWrite);
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    const auto granted = poll(*ann_, waiting);
    QCOMPARE(granted.state, LockState::granted);
    QVERIFY(!granted.inconsistent);
}

void ServiceLocks::a_writer_that_dies_while_no_manager_runs_makes_it_inconsistent_too() {
    lock(*bob_, *region_, kWrite);
    bench_->kill();
    bob_->die();
    bench_->start();
    QVERIFY(inconsistent(*region_));
    QCOMPARE(events(EventKind::lock_broken), 1);
    QVERIFY(lock(*ann_, *region_, kWrite, 0).inconsistent);
}

void ServiceLocks::killed_between_the_doubt_and_the_end_of_the_lock_it_says_so_once() {
    lock(*bob_, *region_, kWrite);
    bench_->kill();
    bob_->die();
    bench_->edit([&](auto view) {
        auto word = layout::Control::decode(view.slot(region_->slot).control.load());
        word.inconsistent = true;
        view.slot(region_->slot).control.store(word.encode());
    });
    bench_->start();
    QVERIFY(inconsistent(*region_));
    QCOMPARE(events(EventKind::lock_broken), 0);  // it was told by the manager that was killed
    QCOMPARE(lock(*ann_, *region_, kWrite, 0).state, LockState::granted);
}

void ServiceLocks::killed_between_the_acknowledgement_and_the_release_the_writer_still_has_it() {
    lock(*bob_, *region_, kWrite);
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    const auto held = lock(*ann_, *region_, kWrite);
    bench_->kill();
    bench_->edit([&](auto view) {
        auto word = layout::Control::decode(view.slot(region_->slot).control.load());
        word.inconsistent = false;
        view.slot(region_->slot).control.store(word.encode());
    });
    bench_->start();
    std::uint32_t slot = 0;
    QCOMPARE(service().locks(ann_->caller(), "", slot, 1000)->size(), 1U);
    QVERIFY(unlock(*ann_, *region_, held));
    QVERIFY(!inconsistent(*region_));
}

void ServiceLocks::a_holder_keeps_its_lock_over_a_restart_and_a_waiter_asks_again() {
    const auto held = lock(*ann_, *region_, kWrite);
    const auto waiting = lock(*bob_, *region_, kWrite, kLockForever, 70);
    bench_->restart();
    QVERIFY(!inconsistent(*region_));
    QCOMPARE(bench_->references(ann_->caller(), region_->id), 1U);
    QCOMPARE(poll(*bob_, waiting).state, LockState::unknown);
    const auto again = lock(*bob_, *region_, kWrite, kLockForever, 70);
    QCOMPARE(again.state, LockState::queued);
    QVERIFY(unlock(*ann_, *region_, held));
    QCOMPARE(poll(*bob_, again).state, LockState::granted);
}

void ServiceLocks::a_grant_whose_answer_was_lost_is_told_again() {
    const auto held = lock(*ann_, *region_, kWrite);
    lock(*bob_, *region_, kWrite, kLockForever, 70);
    QVERIFY(unlock(*ann_, *region_, held));  // granted to Bob, who is asleep
    bench_->restart();
    const auto granted = lock(*bob_, *region_, kWrite, kLockForever, 70);
    QCOMPARE(granted.state, LockState::granted);
    QVERIFY(unlock(*bob_, *region_, granted));
    QCOMPARE(lock(*ann_, *region_, kWrite, 0).state, LockState::granted);  // one level, not two
}

void ServiceLocks::those_who_wait_for_a_deallocated_region_are_told() {
    const auto held = lock(*ann_, *region_, kWrite);
    const auto waiting = lock(*bob_, *region_, kRead);
    QCOMPARE(service().deallocate(ann_->caller(), region_->id, false).value(), false);
    QVERIFY(unlock(*ann_, *region_, held));
    QVERIFY(!bench_->has(region_->id));
    QCOMPARE(service().lock_wait(bob_->caller(), waiting.ticket).error().code,
             ErrorCode::region_not_found);
}

void ServiceLocks::a_wait_that_times_out_is_recorded() {
    lock(*ann_, *region_, kWrite);
    QCOMPARE(lock(*bob_, *region_, kWrite, 0).state, LockState::timed_out);
    QCOMPARE(events(EventKind::lock_timed_out), 0);  // it did not wait
    const auto waiting = lock(*bob_, *region_, kWrite, 1);
    QTRY_VERIFY_WITH_TIMEOUT((service().tick(now().micros), events(EventKind::lock_timed_out) == 1),
                             kPatienceMs);
    QCOMPARE(poll(*bob_, waiting).state, LockState::timed_out);
}

void ServiceLocks::a_deadlock_names_programs_and_regions() {
    lock(*ann_, *region_, kWrite);
    lock(*bob_, *other_, kWrite);
    QCOMPARE(lock(*ann_, *other_, kWrite).state, LockState::queued);
    const auto refused = service().lock(bob_->caller(), {region_->id, kRead, 1000, 1, 99});
    QCOMPARE(refused.error().code, ErrorCode::deadlock);
    const auto message = QString::fromStdString(refused.error().message);
    const auto bob_waits = message.indexOf("program (200, thread 1) waits for " +
                                           QString::fromStdString(region_->id.str()) +
                                           ", which program (100, thread 1) has");
    const auto ann_waits = message.indexOf("program (100, thread 1) waits for " +
                                           QString::fromStdString(other_->id.str()) +
                                           ", which program (200, thread 1) has");
    QVERIFY2(bob_waits > 0 && ann_waits > bob_waits, qPrintable(message));
    QCOMPARE(events(EventKind::deadlock), 1);
}

void ServiceLocks::an_administrator_takes_a_lock_away() {
    Caller administrator;
    administrator.credentials = {1, ::geteuid(), 0};
    const auto held = lock(*bob_, *region_, kWrite);
    const auto waiting = lock(*ann_, *region_, kWrite);
    if (::geteuid() != kUser)
        QCOMPARE(service().release_locks(ann_->caller(), region_->id, 0).error().code,
                 ErrorCode::permission_denied);
    QCOMPARE(service().release_locks(administrator, region_->id, 12345).error().code,
             ErrorCode::not_held);
    const auto released = service().release_locks(administrator, region_->id, held.token);
    QCOMPARE(released->holders.size(), 1U);
    QCOMPARE(released->holders.front().pid, 200);
    QVERIFY(released->inconsistent);
    QVERIFY(!unlock(*bob_, *region_, held));
    QVERIFY(poll(*ann_, waiting).inconsistent);
    QCOMPARE(events(EventKind::lock_forced), 1);
    lock(*bob_, *other_, kRead);
    QVERIFY(!service().release_locks(administrator, other_->id, 0)->inconsistent);
}

void ServiceLocks::locks_are_shown_with_who_waits_for_whom() {
    const auto held = lock(*ann_, *region_, kWrite);
    lock(*ann_, *region_, kWrite);
    lock(*bob_, *region_, kRead);
    const auto shown = [&](const Credentials& who) {
        std::uint32_t slot = 0;
        Caller caller;
        caller.credentials = who;
        return service().locks(caller, "", slot, 10'000).value();
    };
    const auto own = shown({100, kUser, 500});
    QCOMPARE(own.size(), 1U);
    QCOMPARE(own.front().id, region_->id);
    QCOMPARE(own.front().holders.front().pid, 100);
    QCOMPARE(own.front().holders.front().depth, 2U);
    QCOMPARE(own.front().holders.front().mode, kWrite);
    QCOMPARE(own.front().waiters.front().pid, 200);
    QCOMPARE(own.front().waiters.front().waits_for, std::vector<std::int64_t>{100});
    QCOMPARE(shown({1, ::geteuid(), 0}).front().holders.front().token, held.token);
    QVERIFY(shown({300, 6000, 600}).empty());
}

void ServiceLocks::a_client_without_a_page_is_not_woken_and_harms_nobody() {
    const auto held = lock(*ann_, *region_, kWrite);
    const auto waiting = lock(*bob_, *region_, kWrite);
    QCOMPARE(::ftruncate(bob_->liveness_lock().get(), 0), 0);
    QVERIFY(unlock(*ann_, *region_, held));
    QVERIFY(service().client(bob_->client()).hostile != 0);
    QCOMPARE(poll(*bob_, waiting).state, LockState::granted);
    bob_->die();
    QVERIFY(service().reap_if_dead(bob_->client()));
    QVERIFY(lock(*ann_, *region_, kWrite, 0).inconsistent);
}

QTEST_GUILESS_MAIN(ServiceLocks)
#include "moc_service_bench.cpp"
#include "tst_service_locks.moc"
