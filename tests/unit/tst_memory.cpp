// SPDX-License-Identifier: MIT
// Where regions live, seen through the service: pools and moves.
#include <QDir>
#include <QtTest>
#include <algorithm>
#include <set>

#include "memory_view.h"

using namespace snakepit::shm;
using layout::SlotState;
using test::kSecond;
using test::kUser;
using test::Program;
using test::ServiceBench;
using test::ServiceFixture;
using test::View;

namespace {

const Credentials kOther{102, ::geteuid() + 2, 7};
constexpr std::uint64_t kPage = 4096;

}  // namespace

class Memory : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void regions_of_one_user_share_an_arena();
    void whatever_is_not_for_one_user_alone_has_a_segment_of_its_own_data();
    void whatever_is_not_for_one_user_alone_has_a_segment_of_its_own();
    void an_arena_is_handed_to_a_client_once();
    void a_slice_used_before_is_all_zero();
    void a_slice_that_is_being_zeroed_for_a_region_is_left_alone();
    void after_a_restart_what_was_freed_is_zero();
    void an_empty_arena_is_returned_after_the_grace_period();
    void when_memory_is_full_what_is_free_is_given_back_first();
    void without_huge_pages_it_says_so_and_everything_works();
    void overlapping_slices_are_found_at_start();
    void defragmentation_moves_idle_regions_together();
    void compact_arenas_that_fit_into_one_become_one();
    void a_region_that_is_held_stays_where_it_is();
    void a_pass_that_somebody_asks_for_is_not_done_behind_their_back();
    void a_move_that_is_cut_off_leaves_the_region_where_it_was();
    void requests_wait_while_a_region_moves();

  private:
    void write(const Grant& grant, int value) { View(*bench_, grant).fill(value); }
    bool holds(const Grant& grant, int value) { return View(*bench_, grant).all(value); }
    void free(const Grant& grant) {
        QVERIFY(service().deallocate(user_->caller(), grant.id, false).value());
    }
};

void Memory::regions_of_one_user_share_an_arena() {
    const auto first = user_->allocate(1), second = user_->allocate(3 * kPage);
    QVERIFY(first->arena != 0);
    QCOMPARE(second->arena, first->arena);
    QVERIFY(second->offset != first->offset);
    Program other(bench_->service, kOther);
    QVERIFY(other.allocate(1)->arena != first->arena);
    const auto info = service().info(user_->caller(), second->id);
    QCOMPARE(info->placement, Placement::pooled);
    QCOMPARE(info->actual_size, 3 * kPage);
    QCOMPARE(info->arena, info->platform_handle);
}

void Memory::whatever_is_not_for_one_user_alone_has_a_segment_of_its_own_data() {
    QTest::addColumn<RegionOptions>("options");
    QTest::addColumn<quint64>("size");
    QTest::newRow("group may read")
        << RegionOptions{.permissions = {.group = Permission::read_only}} << quint64{1};
    QTest::newRow("read-only for all but its owner")
        << RegionOptions{.access_mode = AccessMode::read_only} << quint64{1};
    QTest::newRow("its user may only read")
        << RegionOptions{.permissions = {.owner = Permission::read_only}} << quint64{1};
    QTest::newRow("on request") << RegionOptions{.placement = Placement::dedicated} << quint64{1};
    QTest::newRow("durable") << RegionOptions{.durable = true} << quint64{1};
    QTest::newRow("large") << RegionOptions{} << quint64{(64 << 20) + 1};
}

void Memory::whatever_is_not_for_one_user_alone_has_a_segment_of_its_own() {
    QFETCH(RegionOptions, options);
    QFETCH(quint64, size);
    const auto region = user_->allocate(size, options);
    QVERIFY(region.has_value());
    QCOMPARE(region->arena, 0U);
    QCOMPARE(service().info(user_->caller(), region->id)->placement, Placement::dedicated);
    if (options.placement == Placement::dedicated) return;
    options.placement = Placement::pooled;
    const auto refused = user_->allocate(size, options);
    QCOMPARE(refused.error().code, ErrorCode::invalid_argument);
}

void Memory::an_arena_is_handed_to_a_client_once() {
    QVERIFY(user_->allocate(1)->handle.valid());
    const auto second = user_->allocate(1);
    QVERIFY(!second->handle.valid());
    QVERIFY(
        service().map(user_->caller(), second->id, AccessMode::read_write, true)->handle.valid());
    QVERIFY(
        user_->map(second->id, AccessMode::read_only)->handle.valid());  // another way to use it
    Program other(bench_->service, kUser);
    QVERIFY(other.map(second->id)->handle.valid());
}

void Memory::a_slice_used_before_is_all_zero() {
    for (const auto strategy : {AllocationStrategy::best_fit, AllocationStrategy::first_fit,
                                AllocationStrategy::worst_fit}) {
        bench_->config.allocation_strategy = strategy;
        service().configure(bench_->config);
        std::vector<Grant> regions;
        for (int i = 0; i < 20; ++i) {
            regions.push_back(std::move(*user_->allocate((i % 5 + 1) * kPage)));
            QVERIFY(holds(regions.back(), 0));
            write(regions.back(), 0xA5);
        }
        for (const auto& region : regions) free(region);
    }
    QVERIFY(state().allocator.pool.dirty_bytes() > 0);
    service().tick(now().micros);
    QCOMPARE(state().allocator.pool.dirty_bytes(), 0U);
    QVERIFY(holds(*user_->allocate(40 * kPage), 0));
}

void Memory::a_slice_that_is_being_zeroed_for_a_region_is_left_alone() {
    const auto kept = user_->allocate(kPage), old = user_->allocate(8 << 20);
    write(*old, 7);
    free(*old);
    bench_->later = true;
    std::optional<Grant> fresh;
    service().allocate(user_->caller(), 1'000'000, 8 << 20, {},
                       [&](Result<Grant> made) { fresh = std::move(*made); });
    QVERIFY(!fresh);
    service().tick(now().micros);  // looks for free pages to be zeroed
    while (!bench_->long_work.empty()) {
        auto work = std::move(bench_->long_work.front());
        bench_->long_work.pop_front();
        work();
    }
    bench_->later = false;
    QVERIFY(fresh);
    QCOMPARE(fresh->offset, old->offset);
    QVERIFY(holds(*fresh, 0));
    QVERIFY(user_->allocate(8 << 20)->offset != fresh->offset);
}

void Memory::after_a_restart_what_was_freed_is_zero() {
    const auto kept = user_->allocate(kPage), gone = user_->allocate(4 * kPage);
    write(*kept, 1);
    write(*gone, 2);
    free(*gone);
    bench_->restart();
    QVERIFY(holds(*kept, 1));
    QCOMPARE(state().allocator.pool.dirty_bytes(), 4 * kPage);
    QVERIFY(holds(*user_->allocate(8 * kPage), 0));
    QVERIFY(holds(*kept, 1));
}

void Memory::an_empty_arena_is_returned_after_the_grace_period() {
    const auto region = user_->allocate(1);
    QCOMPARE(bench_->memory->segment_count(), 1U);
    free(*region);
    service().tick(now().micros);
    QCOMPARE(bench_->memory->segment_count(), 1U);
    service().tick(now().micros + bench_->config.grace_period_ms * 1000 + kSecond);
    QCOMPARE(bench_->memory->segment_count(), 0U);
    QCOMPARE(state().allocator.bytes_reserved(), 0U);
    QVERIFY(user_->allocate(1));
}

void Memory::when_memory_is_full_what_is_free_is_given_back_first() {
    bench_->memory->capacity = 64 * kPage;
    const auto large = user_->allocate(60 * kPage);
    QVERIFY(large.has_value());
    free(*large);
    Program other(bench_->service, kOther);
    QVERIFY(other.allocate(40 * kPage));  // in an arena of its own
    QCOMPARE(user_->allocate(40 * kPage).error().code, ErrorCode::no_space);
    QVERIFY(user_->allocate(8 * kPage));
}

void Memory::without_huge_pages_it_says_so_and_everything_works() {
    bench_->config.use_hugepages = true;
    bench_->restart();
    QVERIFY(!state().allocator.pool.huge_page_problem().empty());  // it cannot know yet
    const auto grant = user_->allocate(3 << 20);
    write(*grant, 7);
    QVERIFY(holds(*grant, 7));
    QVERIFY(state().allocator.pool.huge_page_problem().find("has no huge pages") !=
            std::string::npos);
}

void Memory::overlapping_slices_are_found_at_start() {
    const auto first = user_->allocate(kPage), second = user_->allocate(kPage);
    bench_->kill();
    bench_->edit([&](auto view) {
        auto& body =
            view.slot(second->slot)
                .body[layout::Control::decode(view.slot(second->slot).control.load()).body];
        body.offset = first->offset;
        body.checksum = layout::checksum_of(body);
    });
    bench_->start();
    QVERIFY(!state().registry.control(first->slot).damaged);
    QVERIFY(state().registry.control(second->slot).damaged);
    QCOMPARE(user_->map(second->id).error().code, ErrorCode::corruption_detected);
    free(*second);
    QVERIFY(user_->map(first->id));
    QVERIFY(user_->allocate(kPage)->offset != first->offset);
}

void Memory::defragmentation_moves_idle_regions_together() {
    std::vector<Grant> regions;
    for (int i = 0; i < 100; ++i) {
        regions.push_back(std::move(*user_->allocate((i % 3 + 1) * kPage)));
        write(regions.back(), i);
    }
    for (int i = 0; i < 100; i += 2) free(regions[i]);
    const auto before = state().allocator.pool.report().front();
    QVERIFY(before.high_water > before.used);
    DefragmentStep step;
    std::uint64_t moved = 0;
    do {
        step = service().defragment();
        moved += step.moved;
    } while (step.more);
    QVERIFY(moved > 0);
    const auto after = state().allocator.pool.report().front();
    QVERIFY((after.high_water - after.used) * 5 < before.high_water - before.used);
    std::set<std::uint64_t> offsets;
    std::uint64_t stale = 0;
    for (int i = 1; i < 100; i += 2) {
        // What was granted before it moved does not count any more.
        stale += user_->take(regions[i]) && user_->give(regions[i]) ? 0 : 1;
        const auto again = user_->map(regions[i].id);
        QVERIFY(user_->take(*again));
        QVERIFY(holds(*again, i));
        QVERIFY(offsets.insert(again->offset).second);
    }
    QCOMPARE(stale, moved);
    bench_->restart();
    for (int i = 1; i < 100; i += 2) QVERIFY(holds(*user_->map(regions[i].id), i));
}

// Neither has a hole: only the room behind the last region of the fuller one is left.
void Memory::compact_arenas_that_fit_into_one_become_one() {
    constexpr std::uint64_t kPart = 8 << 20;
    std::vector<Grant> first;
    for (int i = 0; i < 7; ++i) first.push_back(std::move(*user_->allocate(kPart)));
    auto other = *user_->allocate(2 * kPart);  // does not fit into what is left
    QVERIFY(other.arena != first.front().arena);
    write(other, 3);
    for (int i = 4; i < 7; ++i) free(first[static_cast<std::size_t>(i)]);
    while (state().allocator.pool.dirty_bytes() > 0) service().tick(now().micros);
    DefragmentStep step;
    do step = service().defragment();
    while (step.more);
    QCOMPARE(state().allocator.pool.count(), std::size_t{1});
    QVERIFY(holds(*user_->map(other.id), 3));
}

void Memory::a_region_that_is_held_stays_where_it_is() {
    const auto first = user_->allocate(4 * kPage), held = user_->allocate(kPage);
    QVERIFY(user_->take(*held));
    write(*held, 7);
    free(*first);
    const auto step = service().defragment();
    QCOMPARE(step.moved, 0U);
    QCOMPARE(step.in_use, 1U);
    QVERIFY(user_->take(*held));
    QVERIFY(holds(*user_->map(held->id), 7));
    QCOMPARE(user_->map(held->id)->offset, held->offset);
}

// Its steps say how much was moved. Between two of them the manager's own clock may tick: whoever
// asks is slow on a busy machine.
void Memory::a_pass_that_somebody_asks_for_is_not_done_behind_their_back() {
    bench_->config.enable_defragmentation = false;  // or there are passes nobody asked for
    bench_->reconfigure();
    std::vector<Grant> regions;
    for (int i = 0; i < 60; ++i) regions.push_back(std::move(*user_->allocate(2 << 20)));
    for (int i = 0; i < 60; i += 2) free(regions[i]);
    service().tick(now().micros);
    std::uint64_t told = 0;
    for (DefragmentStep step{.more = true}; step.more;) {
        step = service().defragment();
        told += step.moved;
        for (int i = 0; i < 3; ++i) service().tick(now().micros);
    }
    std::size_t moved = 0;
    for (const auto& region : regions) moved += bench_->count_events(region.id, EventKind::moved);
    QVERIFY(moved > 8);  // more than one step

    QCOMPARE(told, moved);
}

void Memory::a_move_that_is_cut_off_leaves_the_region_where_it_was() {
    const auto first = user_->allocate(8 << 20), second = user_->allocate(8 << 20);
    write(*second, 9);
    free(*first);
    service().tick(now().micros);
    bench_->later = true;
    QCOMPARE(service().defragment().moved, 1U);
    QVERIFY(service().moving(second->id));
    bench_->long_work.clear();
    bench_->later = false;
    bench_->restart();
    QCOMPARE(state().registry.control(second->slot).state, SlotState::live);
    QCOMPARE(user_->map(second->id)->offset, second->offset);
    QVERIFY(holds(*second, 9));
    QVERIFY(holds(*user_->allocate(8 << 20), 0));
}

void Memory::requests_wait_while_a_region_moves() {
    const auto first = user_->allocate(8 << 20), second = user_->allocate(8 << 20);
    write(*second, 9);
    free(*first);
    service().tick(now().micros);
    bench_->later = true;
    (void)service().defragment();
    bool settled = false;
    service().when_settled(second->id, [&] { settled = true; });
    while (!bench_->long_work.empty()) {
        QVERIFY(!settled);
        auto work = std::move(bench_->long_work.front());
        bench_->long_work.pop_front();
        work();
    }
    QVERIFY(settled);
    QVERIFY(!service().moving(second->id));
    const auto again = user_->map(second->id);
    QVERIFY(again->offset != second->offset);
    QVERIFY(holds(*again, 9));
}

QTEST_GUILESS_MAIN(Memory)
#include "moc_service_bench.cpp"
#include "tst_memory.moc"
