// SPDX-License-Identifier: MIT
// What the manager does with regions and clients, driven without sockets.
#include <unistd.h>

#include <QtTest>

#include "service_bench.h"

using namespace snakepit::shm;
using test::kUser;
using test::ServiceFixture;
using namespace snakepit::shm::test;
using layout::SlotState;

namespace {

const Credentials kColleague{101, 5001, 500};
const Credentials kStranger{102, 5002, 502};

RegionOptions with_policy(CleanupPolicy policy, std::int64_t timeout_ms = 0) {
    RegionOptions options;
    options.cleanup_policy = policy;
    options.timeout_ms = timeout_ms;
    return options;
}

}  // namespace

class ServiceTest : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void each_limit_is_told_by_name();
    void no_room_is_an_error_and_leaves_nothing_behind();
    void a_removal_that_fails_is_told_with_a_remedy_and_done_later();
    void an_orphan_ends_after_the_grace_period_once_nobody_holds_it();
    void an_unused_region_ends_after_its_timeout_and_a_held_one_never();
    void a_busy_neighbour_keeps_no_region_young();
    void a_timeout_beyond_all_time_never_comes();
    void deadlines_of_regions_that_are_gone_do_not_pile_up();
    void a_reference_counted_region_ends_after_its_last_reference();
    void a_manual_region_outlives_its_owner();
    void a_dry_run_tells_what_the_cleanup_then_does();
    void the_same_request_gets_the_same_region();
    void a_request_asked_again_while_it_is_carried_out_makes_one_region();
    void metadata_has_to_be_a_json_object();
    void permissions_are_by_user_and_group();
    void deallocated_regions_go_with_their_last_reference();

  private:
    Result<CleanupResult> clean(const Program& program, const CleanupRequest& request) {
        std::uint32_t slot = 0;
        return service().cleanup(program.caller(), request, slot, 10'000);
    }
};

void ServiceTest::each_limit_is_told_by_name() {
    bench_->config.max_region_size = 1 << 20;
    bench_->config.max_total_memory = 3 << 20;
    bench_->config.max_regions_per_process = 4;
    bench_->config.max_regions = 5;
    service().configure(bench_->config);
    QCOMPARE(code(user_->allocate(0)), ErrorCode::invalid_size);
    QCOMPARE(code(user_->allocate((1 << 20) + 1)), ErrorCode::size_exceeds_limit);
    for (int i = 0; i < 2; ++i) QVERIFY(user_->allocate(1 << 20));
    QVERIFY(user_->allocate(1));
    QCOMPARE(code(user_->allocate(1 << 20)), ErrorCode::memory_limit_exceeded);
    QVERIFY(user_->allocate(1));
    QCOMPARE(code(user_->allocate(1)), ErrorCode::process_region_limit_exceeded);
    Program other(bench_->service, kUser);
    QVERIFY(other.allocate(1));
    QCOMPARE(code(other.allocate(1)), ErrorCode::region_limit_exceeded);
    QCOMPARE(state().totals().regions, 5U);
}

void ServiceTest::no_room_is_an_error_and_leaves_nothing_behind() {
    bench_->memory->capacity = 8192;
    for (const std::uint64_t size : {8193, 8 << 20}) {  // made at once, and elsewhere
        const auto refused = user_->allocate(size);
        QCOMPARE(code(refused), ErrorCode::no_space);
        QVERIFY(!refused.error().remedy.empty());
    }
    QCOMPARE(state().registry.used_count(), 0U);
    QCOMPARE(state().allocator.bytes_used(), 0U);
    QCOMPARE(state().allocator.bytes_reserved(), 0U);
    QVERIFY(user_->allocate(8192));
}

void ServiceTest::a_removal_that_fails_is_told_with_a_remedy_and_done_later() {
    const auto region = user_->allocate(1, {.placement = Placement::dedicated});
    bench_->memory->fail_removal = true;
    const auto failed = service().deallocate(user_->caller(), region->id, false);
    QVERIFY(!failed);
    QVERIFY(!failed.error().remedy.empty());
    QCOMPARE(failed.error().region_id, region->id.str());
    QCOMPARE(state().registry.control(region->slot).state, SlotState::freeing);
    QCOMPARE(service().stuck().size(), 1U);
    QVERIFY(!user_->take(*region));
    service().evaluate_all();
    QVERIFY(bench_->has(region->id));
    bench_->memory->fail_removal = false;
    service().evaluate_all();
    QVERIFY(!bench_->has(region->id));
    QVERIFY(service().stuck().empty());
    QCOMPARE(state().allocator.bytes_reserved(), 0U);
}

void ServiceTest::an_orphan_ends_after_the_grace_period_once_nobody_holds_it() {
    Program owner(bench_->service, kUser);
    const auto region = owner.allocate(1, with_policy(CleanupPolicy::automatic));
    const auto grant = user_->map(region->id);
    QVERIFY(user_->take(*grant));
    owner.die();
    QVERIFY(service().reap_if_dead(owner.client()));
    QCOMPARE(service().info(user_->caller(), region->id)->state, RegionState::orphan);
    const auto grace = bench_->config.grace_period_ms * 1000;
    service().tick(now().micros + 10 * grace);
    QVERIFY(bench_->has(region->id));
    QVERIFY(user_->give(*grant));
    const auto given = now().micros + 20 * grace;
    service().tick(given);
    service().tick(given + grace - kSecond);
    QVERIFY(bench_->has(region->id));
    service().tick(given + grace);
    QVERIFY(!bench_->has(region->id));
}

void ServiceTest::an_unused_region_ends_after_its_timeout_and_a_held_one_never() {
    const auto idle = user_->allocate(1, with_policy(CleanupPolicy::automatic, 60'000));
    const auto held = user_->allocate(1, with_policy(CleanupPolicy::automatic, 60'000));
    QVERIFY(user_->take(*held));
    const auto at = now().micros;
    service().tick(at + 59 * kSecond);
    QVERIFY(bench_->has(idle->id));
    service().tick(at + 61 * kSecond);
    QVERIFY(!bench_->has(idle->id));
    QVERIFY(!user_->take(*idle));
    service().tick(at + 3600 * kSecond);
    QVERIFY(bench_->has(held->id));
}

void ServiceTest::a_busy_neighbour_keeps_no_region_young() {
    const auto idle = user_->allocate(1, with_policy(CleanupPolicy::automatic, 60'000));
    const auto busy = user_->allocate(1, with_policy(CleanupPolicy::automatic, 60'000));
    const auto at = now().micros;
    for (int second = 0; second <= 61; ++second) {
        QVERIFY(user_->take(*busy) && user_->give(*busy));
        service().released(idle->slot, idle->generation);
        service().tick(at + second * kSecond);
    }
    QVERIFY(!bench_->has(idle->id));
    QVERIFY(bench_->has(busy->id));
    QCOMPARE(service().info(user_->caller(), busy->id)->access_count, 62U);
}

void ServiceTest::a_timeout_beyond_all_time_never_comes() {
    const auto region = user_->allocate(
        1, with_policy(CleanupPolicy::automatic, std::numeric_limits<std::int64_t>::max()));
    service().tick(now().micros + 3600 * kSecond);
    QVERIFY(bench_->has(region->id));
}

void ServiceTest::deadlines_of_regions_that_are_gone_do_not_pile_up() {
    const auto kept = user_->allocate(1, with_policy(CleanupPolicy::automatic, 3'600'000));
    service().tick(now().micros);
    QCOMPARE(service().deadlines(), 1U);
    for (int i = 0; i < 30'000; ++i) {
        const auto gone = user_->allocate(1, with_policy(CleanupPolicy::automatic, 3'600'000));
        QVERIFY(user_->take(*gone) && user_->give(*gone));
        service().released(gone->slot, gone->generation);
        QVERIFY(service().deallocate(user_->caller(), gone->id, false).value());
    }
    QVERIFY(service().deadlines() < 11'000);
    const auto later = now().micros + 3601 * kSecond;
    while (service().run_slice(later)) continue;
    QVERIFY(!bench_->has(kept->id));
    QCOMPARE(service().deadlines(), 0U);
}

void ServiceTest::a_reference_counted_region_ends_after_its_last_reference() {
    const auto region = user_->allocate(1, with_policy(CleanupPolicy::reference_counted));
    QVERIFY(region->tell_release);
    QVERIFY(user_->take(*region) && user_->take(*region));
    const auto at = now().micros;
    service().tick(at + 100 * kSecond);
    QVERIFY(user_->give(*region));
    service().tick(at + 200 * kSecond);
    service().tick(at + 300 * kSecond);
    QVERIFY(bench_->has(region->id));
    QVERIFY(user_->give(*region));
    service().tick(at + 301 * kSecond);
    QVERIFY(bench_->has(region->id));
    service().tick(at + 301 * kSecond + bench_->config.grace_period_ms * 1000);
    QVERIFY(!bench_->has(region->id));
}

void ServiceTest::a_manual_region_outlives_its_owner() {
    Program owner(bench_->service, kUser);
    const auto region = owner.allocate(1, with_policy(CleanupPolicy::manual, 1000));
    owner.die();
    QVERIFY(service().reap_if_dead(owner.client()));
    service().tick(now().micros + 100'000 * kSecond);
    QCOMPARE(service().info(user_->caller(), region->id)->state, RegionState::orphan);
}

void ServiceTest::a_dry_run_tells_what_the_cleanup_then_does() {
    bench_->config.quarantine_ms = 0;
    service().configure(bench_->config);
    Program owner(bench_->service, kUser);
    const auto orphan = owner.allocate(5000);
    const auto held = owner.allocate(1);
    QVERIFY(user_->take(*user_->map(held->id)));
    owner.die();
    QVERIFY(service().reap_if_dead(owner.client()));
    QVERIFY(user_->allocate(1));
    CleanupRequest request{.dry_run = true, .orphans = true};
    const auto plan = user_->cleanup(request);
    QVERIFY(bench_->has(orphan->id));
    request.dry_run = false;
    const auto done = user_->cleanup(request);
    QCOMPARE(plan.removed, 1U);
    QCOMPARE(plan.bytes_freed, 8192U);
    QCOMPARE(done.removed, plan.removed);
    QCOMPARE(done.bytes_freed, plan.bytes_freed);
    QCOMPARE(done.items.size(), 3U);
    for (std::size_t i = 0; i < done.items.size(); ++i) {
        QCOMPARE(done.items[i].id, plan.items[i].id);
        QCOMPARE(done.items[i].reason, plan.items[i].reason);
        QCOMPARE(done.items[i].removed, plan.items[i].removed);
    }
    QVERIFY(!bench_->has(orphan->id));
    QVERIFY(bench_->has(held->id));
}

void ServiceTest::the_same_request_gets_the_same_region() {
    const auto first = user_->allocate(1, {}, 7);
    const auto second = user_->allocate(1, {}, 7);
    QCOMPARE(second->id, first->id);
    QVERIFY(second->handle.valid());
    QCOMPARE(state().totals().regions, 1U);
    QVERIFY(user_->take(*first));
    QVERIFY(service().deallocate(user_->caller(), first->id, false).has_value());
    const auto third = user_->allocate(1, {}, 7);
    QVERIFY(third && third->id != first->id);
}

void ServiceTest::a_request_asked_again_while_it_is_carried_out_makes_one_region() {
    bench_->later = true;
    std::vector<RegionId> got;
    const auto ask = [&] {
        service().allocate(user_->caller(), 9, 4 << 20, {},
                           [&](Result<Grant> granted) { got.push_back(granted.value().id); });
    };
    ask();
    ask();
    QVERIFY(got.empty());
    QCOMPARE(bench_->long_work.size(), 1U);
    bench_->long_work.front()();
    QCOMPARE(got.size(), 2U);
    QCOMPARE(got[0], got[1]);
    QCOMPARE(state().totals().regions, 1U);
}

void ServiceTest::metadata_has_to_be_a_json_object() {
    RegionOptions options;
    for (const char* bad : {"[1]", "{", "7", "text"}) {
        options.metadata = bad;
        QCOMPARE(code(user_->allocate(1, options)), ErrorCode::invalid_argument);
    }
    QCOMPARE(state().registry.used_count(), 0U);
    options.metadata = R"({"model":"x"})";
    const auto region = user_->allocate(1, options);
    QCOMPARE(service().info(user_->caller(), region->id)->metadata, options.metadata);
}

void ServiceTest::permissions_are_by_user_and_group() {
    RegionOptions options;
    options.permissions.group = Permission::read_only;
    const auto region = user_->allocate(1, options);
    Program colleague(bench_->service, kColleague), stranger(bench_->service, kStranger);
    QVERIFY(colleague.map(region->id, AccessMode::read_only));
    QCOMPARE(code(colleague.map(region->id, AccessMode::read_write)), ErrorCode::permission_denied);
    QCOMPARE(code(service().deallocate(colleague.caller(), region->id, false)),
             ErrorCode::permission_denied);
    QCOMPARE(code(stranger.map(region->id, AccessMode::read_only)), ErrorCode::permission_denied);
    QCOMPARE(code(service().info(stranger.caller(), region->id)), ErrorCode::permission_denied);
    const auto seen = [&](const Program& program) {
        std::uint32_t slot = 0;
        return service().list(program.caller(), {}, slot, 10'000)->size();
    };
    QCOMPARE(seen(colleague), 1U);
    QCOMPARE(seen(stranger), 0U);
    QCOMPARE(stranger.cleanup({.all_eligible = true}).items.size(), 0U);
    // Administrators see and manage it, and read it no more than others.
    const Program service_user(bench_->service, {103, ::geteuid(), ::getegid()});
    QCOMPARE(seen(service_user), 1U);
    QCOMPARE(code(service().map(service_user.caller(), region->id, AccessMode::read_only)),
             ErrorCode::permission_denied);
    QVERIFY(service().deallocate(service_user.caller(), region->id, false).value());
}

void ServiceTest::deallocated_regions_go_with_their_last_reference() {
    const auto region = user_->allocate(1, {.placement = Placement::dedicated});
    QVERIFY(user_->take(*region));
    Program other(bench_->service, kUser);
    QVERIFY(other.map(region->id));
    QCOMPARE(service().deallocate(user_->caller(), region->id, false).value(), false);
    QCOMPARE(code(other.map(region->id)), ErrorCode::region_not_found);
    QVERIFY(!other.take(*region));
    QVERIFY(!user_->take(*region));
    QVERIFY(user_->give(*region));
    service().released(region->slot, region->generation);
    QVERIFY(!bench_->has(region->id));
    QCOMPARE(bench_->memory->segment_count(), 0U);
}

QTEST_GUILESS_MAIN(ServiceTest)
#include "moc_service_bench.cpp"
#include "tst_service.moc"
