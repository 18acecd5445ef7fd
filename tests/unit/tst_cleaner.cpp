// SPDX-License-Identifier: MIT
// What a person cleans, how long it can be had back, and that cleaning holds up nobody.
#include <QtTest>

#include "service_bench.h"

using namespace snakepit::shm;
using test::kUser;
using test::ServiceFixture;
using namespace snakepit::shm::test;
using layout::SlotState;

namespace {

const Credentials kStranger{102, 5002, 502};
constexpr CleanupRequest kAll{.all_eligible = true};

RegionOptions with_policy(CleanupPolicy policy, std::int64_t timeout_ms = 0) {
    RegionOptions options;
    options.cleanup_policy = policy;
    options.timeout_ms = timeout_ms;
    return options;
}

RegionOptions dedicated() {
    RegionOptions options;
    options.placement = Placement::dedicated;
    return options;
}

}  // namespace

class CleanerTest : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void what_a_person_cleans_is_kept_for_a_while_and_then_freed();
    void a_restored_region_holds_what_it_held_and_starts_anew();
    void only_what_is_in_quarantine_can_be_restored_and_only_by_those_who_may();
    void a_region_in_quarantine_outlives_the_manager_with_its_deadline();
    void a_kill_on_the_way_into_quarantine_leaves_a_live_region_data();
    void a_kill_on_the_way_into_quarantine_leaves_a_live_region();
    void a_kill_right_after_the_commit_loses_no_event();
    void a_kill_on_the_way_out_of_quarantine_frees_it();
    void without_a_quarantine_it_goes_at_once_data();
    void without_a_quarantine_it_goes_at_once();
    void deallocating_ends_a_quarantine();
    void deallocating_into_quarantine_is_refused_while_it_is_held();
    void what_is_cleaned_by_itself_is_quarantined_only_when_asked_for();
    void a_session_or_a_worker_is_cleaned_without_its_manual_regions_data();
    void a_session_or_a_worker_is_cleaned_without_its_manual_regions();
    void a_dead_workers_region_names_worker_and_session_when_it_goes();
    void a_plan_is_checked_again_item_by_item();
    void a_plan_of_what_is_due_takes_nothing_that_was_used_since();
    void what_cannot_be_freed_says_what_to_do_wherever_one_looks();
    void many_ends_at_once_take_several_turns();

  private:
    SlotState state_of(const Grant& region) { return state().registry.control(region.slot).state; }
};

void CleanerTest::what_a_person_cleans_is_kept_for_a_while_and_then_freed() {
    const auto region = user_->allocate(5000, dedicated());
    const auto done = user_->cleanup(kAll);
    QCOMPARE(done.removed, 1U);
    QCOMPARE(done.quarantined, 1U);
    QCOMPARE(done.bytes_freed, 0U);
    QCOMPARE(done.bytes_quarantined, 8192U);
    const auto seen = service().info(user_->caller(), region->id);
    QCOMPARE(seen->state, RegionState::quarantined);
    const auto left = seen->quarantined_until.micros - now().micros;
    QVERIFY(left > 25 * kSecond && left <= 30 * kSecond);
    QVERIFY(!user_->take(*region));
    const auto mapped = user_->map(region->id);
    QCOMPARE(code(mapped), ErrorCode::region_not_found);
    QVERIFY(mapped.error().sentence().find("restore") != std::string::npos);
    QVERIFY(user_->cleanup(kAll).items.at(0).reason.find("quarantine") != std::string::npos);
    service().tick(seen->quarantined_until.micros - kSecond);
    QVERIFY(bench_->has(region->id));
    service().tick(seen->quarantined_until.micros);
    QVERIFY(!bench_->has(region->id));
    QCOMPARE(bench_->memory->segment_count(), 0U);
    QVERIFY(QString(bench_->last_event(region->id, EventKind::freed).text).contains("quarantine"));
    QVERIFY(QString(bench_->last_event(region->id, EventKind::quarantined).text)
                .contains("no process holds it"));
}

void CleanerTest::a_restored_region_holds_what_it_held_and_starts_anew() {
    const auto region = user_->allocate(4096, with_policy(CleanupPolicy::automatic, 60'000));
    const auto place = static_cast<off_t>(region->offset);
    QCOMPARE(::pwrite(region->handle.get(), "kept", 4, place), 4);
    bench_->kill();
    bench_->edit([&](auto view) { view.stats(region->slot).last_accessed -= 59 * kSecond; });
    bench_->start();
    QCOMPARE(user_->cleanup(kAll).quarantined, 1U);
    const auto next = service().restore(user_->caller(), region->id);
    QVERIFY(next && next->find("due in") != std::string::npos);
    QCOMPARE(state_of(*region), SlotState::live);
    QCOMPARE(service().info(user_->caller(), region->id)->quarantined_until.micros, 0);
    QCOMPARE(bench_->count_events(region->id, EventKind::restored), 1U);
    const auto at = now().micros;
    service().tick(at + 55 * kSecond);
    const auto again = user_->map(region->id);
    QVERIFY(again && user_->take(*again) && user_->give(*again));
    char bytes[4] = {};
    QCOMPARE(::pread(region->handle.get(), bytes, 4, place), 4);
    QCOMPARE(QByteArray(bytes, 4), QByteArray("kept"));
    bench_->restart();
    QVERIFY(bench_->has(region->id));
}

void CleanerTest::only_what_is_in_quarantine_can_be_restored_and_only_by_those_who_may() {
    const auto region = user_->allocate(1);
    QCOMPARE(code(service().restore(user_->caller(), region->id)), ErrorCode::invalid_argument);
    QCOMPARE(code(service().restore(user_->caller(), RegionId::generate())),
             ErrorCode::region_not_found);
    user_->cleanup(kAll);
    const Program stranger(bench_->service, kStranger);
    QCOMPARE(code(service().restore(stranger.caller(), region->id)), ErrorCode::permission_denied);
    const Program administrator(bench_->service, {103, ::geteuid(), ::getegid()});
    QVERIFY(service().restore(administrator.caller(), region->id));
    QCOMPARE(state_of(*region), SlotState::live);
}

void CleanerTest::a_region_in_quarantine_outlives_the_manager_with_its_deadline() {
    const auto region = user_->allocate(1);
    user_->cleanup(kAll);
    const auto until = service().info(user_->caller(), region->id)->quarantined_until;
    bench_->restart();
    QCOMPARE(state_of(*region), SlotState::quarantined);
    QCOMPARE(service().info(user_->caller(), region->id)->quarantined_until.micros, until.micros);
    service().tick(until.micros - 1);
    QVERIFY(bench_->has(region->id));
    service().tick(until.micros);
    QVERIFY(!bench_->has(region->id));
}

void CleanerTest::a_kill_on_the_way_into_quarantine_leaves_a_live_region_data() {
    QTest::addColumn<bool>("body_written");
    QTest::newRow("before its other description is written") << false;
    QTest::newRow("after its other description is written") << true;
}

void CleanerTest::a_kill_on_the_way_into_quarantine_leaves_a_live_region() {
    QFETCH(bool, body_written);
    const auto region = user_->allocate(1);
    bench_->kill();
    bench_->edit([&](auto view) {
        auto& slot = view.slot(region->slot);
        auto word = layout::Control::decode(slot.control.load());
        word.state = SlotState::retiring;
        slot.control.store(word.encode());
        if (!body_written) return;
        slot.body[word.body ^ 1] = slot.body[word.body];
        slot.body[word.body ^ 1].deadline = 1;
        slot.body[word.body ^ 1].checksum = layout::checksum_of(slot.body[word.body ^ 1]);
    });
    bench_->start();
    QCOMPARE(state_of(*region), SlotState::live);
    QVERIFY(user_->take(*region));
    QCOMPARE(bench_->count_events(region->id, EventKind::quarantined), 0U);
}

void CleanerTest::a_kill_right_after_the_commit_loses_no_event() {
    const auto region = user_->allocate(1);
    QVERIFY(!service().quarantine(user_->caller(), region->id).value());
    bench_->kill();
    // The control word is stored and the ring's head is not: the last step of the commit is
    // missing.
    bench_->edit([&](auto view) { view.state().ring_head.fetch_sub(1); });
    bench_->start();
    QCOMPARE(state_of(*region), SlotState::quarantined);
    QCOMPARE(bench_->count_events(region->id, EventKind::quarantined), 1U);
}

void CleanerTest::a_kill_on_the_way_out_of_quarantine_frees_it() {
    const auto region = user_->allocate(1, dedicated()), second = user_->allocate(1, dedicated());
    user_->cleanup(kAll);
    bench_->kill();
    bench_->edit([&](auto view) {
        for (const auto slot : {region->slot, second->slot}) {
            auto word = layout::Control::decode(view.slot(slot).control.load());
            word.state = slot == region->slot ? SlotState::retiring : SlotState::freeing;
            word.from_quarantine = true;
            view.slot(slot).control.store(word.encode());
            auto& body = view.slot(slot).body[word.body];
            body.deadline = now().micros - 1;  // it was due
            body.checksum = layout::checksum_of(body);
        }
    });
    bench_->start();
    QVERIFY(!bench_->has(region->id) && !bench_->has(second->id));
    QCOMPARE(bench_->memory->segment_count(), 0U);
    QCOMPARE(bench_->count_events(region->id, EventKind::freed), 1U);
}

void CleanerTest::without_a_quarantine_it_goes_at_once_data() {
    QTest::addColumn<bool>("configured");
    QTest::newRow("the configuration has none") << false;
    QTest::newRow("the request wants none") << true;
}

void CleanerTest::without_a_quarantine_it_goes_at_once() {
    QFETCH(bool, configured);
    const auto region = user_->allocate(5000);
    if (!configured) bench_->config.quarantine_ms = 0;
    bench_->reconfigure();
    auto request = kAll;
    request.no_quarantine = configured;
    const auto done = user_->cleanup(request);
    QCOMPARE(done.quarantined, 0U);
    QCOMPARE(done.bytes_freed, 8192U);
    QVERIFY(!bench_->has(region->id));
    const auto last = user_->allocate(1);
    QCOMPARE(service().quarantine(user_->caller(), last->id).value(), !configured);
    QCOMPARE(bench_->has(last->id), configured);
}

void CleanerTest::deallocating_ends_a_quarantine() {
    const auto region = user_->allocate(1), second = user_->allocate(1);
    user_->cleanup(kAll);
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
    QVERIFY(!bench_->has(region->id));
    QCOMPARE(user_->cleanup({.all_eligible = true, .no_quarantine = true}).removed, 1U);
    QVERIFY(!bench_->has(second->id));
}

void CleanerTest::deallocating_into_quarantine_is_refused_while_it_is_held() {
    const auto region = user_->allocate(1);
    QVERIFY(user_->take(*region));
    const auto refused = service().quarantine(user_->caller(), region->id);
    QCOMPARE(code(refused), ErrorCode::region_in_use);
    QVERIFY(!refused.error().remedy.empty());
    QCOMPARE(state_of(*region), SlotState::live);
    QVERIFY(user_->give(*region) && user_->take(*region) && user_->give(*region));
    QVERIFY(!service().quarantine(user_->caller(), region->id).value());
    QCOMPARE(state_of(*region), SlotState::quarantined);
}

void CleanerTest::what_is_cleaned_by_itself_is_quarantined_only_when_asked_for() {
    const auto plain = user_->allocate(1, with_policy(CleanupPolicy::automatic, 60'000));
    service().tick(now().micros + 61 * kSecond);
    QVERIFY(!bench_->has(plain->id));
    bench_->config.quarantine_automatic = true;
    bench_->reconfigure();
    const auto kept = user_->allocate(1, with_policy(CleanupPolicy::automatic, 60'000));
    service().tick(now().micros + 61 * kSecond);
    QCOMPARE(state_of(*kept), SlotState::quarantined);
    QVERIFY(service().deallocate(user_->caller(), kept->id, false).value());
}

void CleanerTest::a_session_or_a_worker_is_cleaned_without_its_manual_regions_data() {
    QTest::addColumn<QString>("session");
    QTest::addColumn<QString>("worker");
    QTest::newRow("session") << "s1"
                             << "";
    QTest::newRow("worker") << ""
                            << "w1";
    QTest::newRow("both") << "s1"
                          << "w1";
}

void CleanerTest::a_session_or_a_worker_is_cleaned_without_its_manual_regions() {
    QFETCH(QString, session);
    QFETCH(QString, worker);
    const auto before = user_->allocate(1);
    user_->announce("w1", "s1");
    const auto mine = user_->allocate(1), held = user_->allocate(1);
    const auto manual = user_->allocate(1, with_policy(CleanupPolicy::manual));
    QVERIFY(user_->take(*held));
    Program other(bench_->service, kUser);
    other.announce("w2", "s2");
    const auto foreign = other.allocate(1);
    CleanupRequest request{.session = session.toStdString(), .worker = worker.toStdString()};
    auto done = user_->cleanup(request);
    QCOMPARE(done.items.size(), 3U);
    QCOMPARE(done.removed, 1U);
    QCOMPARE(state_of(*mine), SlotState::quarantined);
    for (const auto& item : done.items)
        if (item.id == manual->id) QVERIFY(item.reason.find("manual") != std::string::npos);
    request.all_eligible = true;
    done = user_->cleanup(request);
    QCOMPARE(done.removed, 1U);
    QCOMPARE(state_of(*manual), SlotState::quarantined);
    for (const auto* region : {&*held, &*foreign, &*before})
        QCOMPARE(state_of(*region), SlotState::live);
}

void CleanerTest::a_dead_workers_region_names_worker_and_session_when_it_goes() {
    Program worker(bench_->service, kUser);
    worker.announce("resizer-7", "evening");
    const auto region = worker.allocate(1);
    worker.die();
    QVERIFY(service().reap_if_dead(worker.client()));
    service().tick(now().micros + bench_->config.grace_period_ms * 1000);
    QVERIFY(!bench_->has(region->id));
    const QString reason(bench_->last_event(region->id, EventKind::freed).text);
    QVERIFY2(reason.contains("resizer-7") && reason.contains("evening"), qPrintable(reason));
}

void CleanerTest::a_plan_is_checked_again_item_by_item() {
    Program owner(bench_->service, kUser);
    const auto goes = owner.allocate(1), taken = owner.allocate(1), gone = owner.allocate(1);
    owner.die();
    QVERIFY(service().reap_if_dead(owner.client()));
    CleanupRequest request{.dry_run = true, .orphans = true};
    const auto plan = user_->cleanup(request);
    QCOMPARE(plan.removed, 3U);
    const auto mine = user_->allocate(1);
    QVERIFY(user_->take(*user_->map(taken->id)));
    QVERIFY(service().deallocate(user_->caller(), gone->id, false).value());
    request.dry_run = false;
    const auto done = user_->cleanup_named(request, {goes->id, taken->id, gone->id, mine->id});
    QCOMPARE(done.removed, 1U);
    QVERIFY(done.items.at(0).removed);
    QVERIFY(done.items.at(1).reason.find("in use") != std::string::npos);
    QVERIFY(done.items.at(2).reason.find("ended") != std::string::npos);
    QVERIFY(done.items.at(3).reason.find("owner is running") != std::string::npos);
    // Named and nothing else said: whatever its policy.
    QCOMPARE(user_->cleanup_named({}, {mine->id}).removed, 1U);
}

void CleanerTest::a_plan_of_what_is_due_takes_nothing_that_was_used_since() {
    const auto region = user_->allocate(1, with_policy(CleanupPolicy::automatic, 60'000));
    bench_->kill();
    bench_->edit([&](auto view) { view.stats(region->slot).last_accessed -= 59 * kSecond; });
    bench_->config.cleanup_interval_ms = 3'600'000;
    bench_->start();
    CleanupRequest request{.due = true};
    const auto stays = user_->cleanup_named(request, {region->id});
    QCOMPARE(stays.removed, 0U);
    QVERIFY(stays.items.at(0).reason.find("due in") != std::string::npos);
    QVERIFY(bench_->has(region->id));
}

void CleanerTest::what_cannot_be_freed_says_what_to_do_wherever_one_looks() {
    const auto region = user_->allocate(1, dedicated());
    bench_->memory->fail_removal = true;
    auto request = kAll;
    request.no_quarantine = true;
    const auto failed = user_->cleanup(request);
    QCOMPARE(failed.removed, 0U);
    const auto& told = service().stuck().at(region->slot);
    QVERIFY(!told.remedy.empty());
    QCOMPARE(failed.items.at(0).reason, told.sentence());
    service().evaluate_all();
    QCOMPARE(user_->cleanup({.dry_run = true}).items.at(0).reason, told.sentence());
    QCOMPARE(bench_->count_events(region->id, EventKind::cleanup_failed), 1U);
    bench_->memory->fail_removal = false;
    QCOMPARE(user_->cleanup({}).removed, 1U);
    QVERIFY(!bench_->has(region->id));
    QVERIFY(service().stuck().empty());
}

void CleanerTest::many_ends_at_once_take_several_turns() {
    bench_->config.max_regions_per_process = 1000;
    bench_->reconfigure();
    for (int i = 0; i < 700; ++i)
        QVERIFY(user_->allocate(1, with_policy(CleanupPolicy::automatic, 60'000)));
    const auto at = now().micros + 61 * kSecond;
    bench_->config.cleanup_interval_ms = 3'600'000;
    bench_->reconfigure();
    service().tick(now().micros);  // the look that follows a changed configuration
    QVERIFY(service().tick(at));
    QVERIFY(state().totals().regions > 0);
    int turns = 1;
    while (service().run_slice(at)) ++turns;
    QVERIFY(turns >= 2);
    QCOMPARE(state().totals().regions, 0U);
}

QTEST_GUILESS_MAIN(CleanerTest)
#include "moc_service_bench.cpp"
#include "tst_cleaner.moc"
