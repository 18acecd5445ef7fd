// SPDX-License-Identifier: MIT
// What all regions are together is kept while they change: it must be what a walk would count. And
// what a service writes down about its own work.
#include <QtTest>

#include <random>

#include "monitoring/monitoring.h"
#include "monitoring/usage_history.h"
#include "monitoring/usage_survey.h"
#include "service_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;
using layout::Histogram;
using layout::Timed;

class TestTotals : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void totals_are_what_a_walk_counts_whatever_happens();
    void a_survey_counts_by_user_session_worker_and_program();
    void a_trend_begins_anew_when_the_clock_is_set_back();
    void operations_are_counted_in_their_histograms();
    void a_lock_wait_is_timed_when_it_is_granted_and_counted_when_it_is_not();
    void what_a_client_times_arrives_once_and_is_bounded();

  private:
    RegionTotals counted_anew() {
        RegionTotals totals;
        auto& registry = state().registry;
        for (const auto slot : registry.used())
            totals.count(registry.control(slot), registry.stats(slot).references,
                         registry.body(slot).actual_size, 1);
        return totals;
    }
    std::uint64_t times(Timed what) { return Histogram::of(state().registry.timed(what)).count; }
};

void TestTotals::totals_are_what_a_walk_counts_whatever_happens() {
    std::mt19937 random(3);
    std::vector<std::unique_ptr<Program>> programs;
    std::vector<Grant> grants;
    bench_->config.max_regions = 5000;
    bench_->config.max_regions_per_process = 5000;
    bench_->config.grace_period_ms = 0;
    bench_->reconfigure();
    for (int i = 0; i < 1500; ++i) {
        if (programs.empty() || random() % 100 == 0)
            programs.push_back(std::make_unique<Program>(
                bench_->service,
                Credentials{200 + i, 5000 + static_cast<std::uint32_t>(i % 3), 500}));
        auto& program = *programs[random() % programs.size()];
        const auto what = random() % 100;
        RegionOptions options;
        options.placement = random() % 4 == 0 ? Placement::dedicated : Placement::pooled;
        if (what < 40) {
            if (auto granted = program.allocate(1 + random() % 100'000, options))
                grants.push_back(std::move(*granted));
        } else if (!grants.empty()) {
            const auto index = random() % grants.size();
            const auto id = grants[index].id;
            if (what < 60)
                program.take(grants[index]);
            else if (what < 75)
                program.give(grants[index]);
            else if (what < 82)
                (void)program.map(id);
            else if (what < 88)
                (void)service().quarantine(program.caller(), id);
            else if (what < 90)
                (void)service().restore(program.caller(), id);
            else if (what < 96)
                (void)service().deallocate(program.caller(), id, random() % 2 == 0);
            else if (what < 98)
                (void)service().defragment();
        }
        if (random() % 200 == 0 && programs.size() > 1) {
            programs.back()->die();
            service().reap_if_dead(programs.back()->client());
            programs.pop_back();
        }
        if (i % 10 == 0) service().tick(now().micros);
        if (i % 500 == 499) bench_->restart();
        if (i % 25 == 0) QVERIFY(state().registry.totals() == counted_anew());
    }
    QVERIFY(state().registry.totals() == counted_anew());
    QVERIFY(state().totals().regions > 0);
    QVERIFY(state().totals().references > 0);
}

void TestTotals::a_survey_counts_by_user_session_worker_and_program() {
    Program other(bench_->service, {101, 6000, 500});
    other.announce("w1", "s1");
    const auto held = other.allocate(1000);
    QVERIFY(held && other.take(*held) && other.take(*held));
    QVERIFY(other.allocate(24));
    QVERIFY(user_->allocate(7));
    service().tick(now().micros);

    UsageSurvey survey(state());
    QVERIFY(survey.run_slice(1));
    const auto& found = survey.last();
    QCOMPARE(found.users.at(6000).regions, std::uint64_t{2});
    QCOMPARE(found.users.at(6000).bytes, std::uint64_t{1024});
    QCOMPARE(found.users.at(6000).references, std::uint64_t{2});
    QCOMPARE(found.users.at(5000).bytes, std::uint64_t{7});
    QCOMPARE(found.sessions.at("s1").regions, std::uint64_t{2});
    QCOMPARE(found.workers.at("w1").references, std::uint64_t{2});
    QCOMPARE(found.sessions.size(), std::size_t{1});
    QCOMPARE(found.references.at(other.caller().serial), std::uint64_t{2});
    QVERIFY(!survey.run_slice(2));  // not again at once
    QVERIFY(survey.run_slice(20'000'000));
    QVERIFY(survey.run_slice(3));  // the clock was set back
    const auto& allocations = state().stats.allocations;
    QCOMPARE(allocations.users.at(6000), std::uint64_t{2});
    QCOMPARE(allocations.sessions.at("s1"), std::uint64_t{2});
    QCOMPARE(allocations.workers.at("w1"), std::uint64_t{2});
}

void TestTotals::a_trend_begins_anew_when_the_clock_is_set_back() {
    UsageHistory history;
    layout::Sample sample{};
    for (const int second : {100, 105, 110, 120}) {
        sample.time = second * 1'000'000LL;
        history.add(sample);
    }
    QCOMPARE(history.regions().size(), std::size_t{3});
    sample.time = 50'000'000;
    history.add(sample);
    QCOMPARE(history.regions().size(), std::size_t{1});
}

void TestTotals::operations_are_counted_in_their_histograms() {
    const auto granted = user_->allocate(1000);
    QVERIFY(granted);
    QVERIFY(user_->map(granted->id));
    QVERIFY(!user_->allocate(0));  // what fails is not timed
    QVERIFY(service().deallocate(user_->caller(), granted->id, false));
    QCOMPARE(times(Timed::allocate), std::uint64_t{1});
    QCOMPARE(times(Timed::first_map), std::uint64_t{1});
    QCOMPARE(times(Timed::cleanup), std::uint64_t{1});
    QCOMPARE(state().totals().allocation_failures, std::uint64_t{1});
    bench_->restart();  // the registry keeps them
    QCOMPARE(times(Timed::allocate), std::uint64_t{1});
}

void TestTotals::a_lock_wait_is_timed_when_it_is_granted_and_counted_when_it_is_not() {
    const auto granted = user_->allocate(1000);
    Program other(bench_->service, {101, 5000, 500});
    const auto lock = [&](Program& program, std::uint32_t request, std::uint32_t timeout) {
        return *service().lock(program.caller(),
                               {granted->id, AccessMode::read_write, timeout, 1, request});
    };
    const auto held = lock(*user_, 1, 0);
    QCOMPARE(times(Timed::lock_wait), std::uint64_t{0});  // it was free
    QCOMPARE(lock(other, 1, 60'000).state, LockState::queued);
    QCOMPARE(state().synchronizer.waiting_count(), std::size_t{1});
    QCOMPARE(state().synchronizer.longest_waits(5).size(), std::size_t{1});
    QVERIFY(service().unlock(user_->caller(), granted->id, held.token, 2));
    QCOMPARE(times(Timed::lock_wait), std::uint64_t{1});
    QCOMPARE(state().synchronizer.waiting_count(), std::size_t{0});
    QCOMPARE(state().synchronizer.held_count(), std::size_t{1});
    const auto waits = lock(*user_, 3, 60'000);
    QCOMPARE(service().lock_cancel(user_->caller(), waits.ticket)->state, LockState::timed_out);
    QCOMPARE(state().totals().lock_timeouts, std::uint64_t{1});
    QVERIFY(state().synchronizer.longest_waits(5).empty());
    QCOMPARE(times(Timed::lock_wait), std::uint64_t{1});
}

void TestTotals::what_a_client_times_arrives_once_and_is_bounded() {
    std::uint64_t maps = 0, unmaps = 0;
    const auto sweep = [&] {
        maps = unmaps = 0;
        state().counter.sweep_times([&](Timed what, std::uint32_t, std::uint64_t count) {
            (what == Timed::map ? maps : unmaps) += count;
        });
    };
    auto& times = user_->lease().times();
    sweep();
    QCOMPARE(maps + unmaps, std::uint64_t{0});
    times.add(times.map, 30);
    times.add(times.map, 40);
    times.add(times.unmap, 20);
    sweep();
    QCOMPARE(maps, std::uint64_t{2});
    QCOMPARE(unmaps, std::uint64_t{1});
    sweep();
    QCOMPARE(maps + unmaps, std::uint64_t{0});

    bench_->restart();  // what was counted is not counted again
    sweep();
    QCOMPARE(maps + unmaps, std::uint64_t{0});
    times.add(times.map, 30);
    sweep();
    QCOMPARE(maps, std::uint64_t{1});

    // Whatever a hostile client writes, it does not count without an end.
    for (auto& cell : times.map) cell.store(0xFFFF'FFFFU);
    times.samples.store(0xFFFF'FFF0U);
    sweep();
    QVERIFY(maps + unmaps <= 1U << 20);
}

QTEST_GUILESS_MAIN(TestTotals)
#include "moc_service_bench.cpp"
#include "tst_totals.moc"
