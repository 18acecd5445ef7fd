// SPDX-License-Identifier: MIT
#include <sys/mman.h>

#include <QtTest>
#include <map>
#include <random>

#include "memory/arena.h"

using namespace snakepit::shm;

namespace {

constexpr std::uint64_t kPage = PageSet::kPage;

std::unique_ptr<Arena> arena_of_pages(std::uint64_t pages) {
    Segment segment;
    segment.size = pages * kPage;
    return std::make_unique<Arena>(1, 0, "/arena", std::move(segment), Mapping());
}

Range pages(std::uint64_t first, std::uint64_t count) {
    return {first * kPage, count * kPage};
}

// Four runs: 3, 1, 6 and 2 pages, at 1, 5, 7 and 14 of 16.
std::unique_ptr<Arena> arena_with_holes() {
    auto arena = arena_of_pages(16);
    for (const auto& used : {pages(0, 1), pages(4, 1), pages(6, 1), pages(13, 1)})
        arena->mark_used(used);
    return arena;
}

}  // namespace

class ArenaTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void each_strategy_chooses_its_run_data();
    void each_strategy_chooses_its_run();
    void a_clean_run_is_preferred_among_tight_ones();
    void neighbours_coalesce();
    void page_sets_count_and_find();
    void a_random_history_agrees_with_a_plain_one();
};

void ArenaTest::each_strategy_chooses_its_run_data() {
    QTest::addColumn<AllocationStrategy>("strategy");
    QTest::addColumn<int>("size");
    QTest::addColumn<int>("expected");  // page; -1 for none
    QTest::newRow("best fit takes the tightest") << AllocationStrategy::best_fit << 2 << 14;
    QTest::newRow("best fit takes an exact one") << AllocationStrategy::best_fit << 1 << 5;
    QTest::newRow("first fit takes the lowest") << AllocationStrategy::first_fit << 2 << 1;
    QTest::newRow("worst fit takes the roomiest") << AllocationStrategy::worst_fit << 1 << 7;
    QTest::newRow("what fits nowhere") << AllocationStrategy::best_fit << 7 << -1;
    QTest::newRow("what fits nowhere, first fit") << AllocationStrategy::first_fit << 7 << -1;
}

void ArenaTest::each_strategy_chooses_its_run() {
    QFETCH(AllocationStrategy, strategy);
    QFETCH(int, size);
    QFETCH(int, expected);
    const auto offset =
        arena_with_holes()->find(static_cast<std::uint64_t>(size) * kPage, strategy);
    QCOMPARE(offset ? static_cast<int>(*offset / kPage) : -1, expected);
}

void ArenaTest::a_clean_run_is_preferred_among_tight_ones() {
    const auto arena = arena_with_holes();
    arena->dirty.insert(pages(14, 2));
    QCOMPARE(*arena->find(2 * kPage, AllocationStrategy::best_fit), 1 * kPage);
    arena->dirty.insert(pages(1, 3));
    arena->dirty.insert(pages(7, 6));
    QCOMPARE(*arena->find(2 * kPage, AllocationStrategy::best_fit), 14 * kPage);
}

void ArenaTest::neighbours_coalesce() {
    const auto arena = arena_with_holes();
    QCOMPARE(arena->high_water(), 14 * kPage);
    arena->mark_free(pages(4, 1));
    arena->mark_free(pages(6, 1));
    QCOMPARE(arena->runs().size(), 2U);
    QCOMPARE(arena->run_at(5 * kPage), pages(1, 12));
    arena->mark_free(pages(13, 1));
    arena->mark_free(pages(0, 1));
    QCOMPARE(arena->runs().size(), 1U);
    QVERIFY(arena->empty());
    QCOMPARE(arena->largest_free(), 16 * kPage);
    QCOMPARE(arena->high_water(), 0U);
}

void ArenaTest::page_sets_count_and_find() {
    PageSet set(300 * kPage);
    set.insert(pages(60, 10));
    set.insert(pages(65, 10));
    QCOMPARE(set.bytes(), 15 * kPage);
    QVERIFY(set.all(pages(60, 15)));
    QVERIFY(!set.all(pages(59, 2)));
    QCOMPARE(set.first(0, 300 * kPage), pages(60, 15));
    QCOMPARE(set.first(62 * kPage, 4 * kPage), pages(62, 4));
    set.erase(pages(63, 2));
    const std::vector<Range> present{pages(60, 3), pages(65, 10)};
    QCOMPARE(set.ranges(pages(0, 300), true), present);
    QCOMPARE(set.ranges(pages(60, 15), false), std::vector<Range>{pages(63, 2)});
    set.erase(pages(0, 300));
    QCOMPARE(set.bytes(), 0U);
    QCOMPARE(set.first(0, kPage), Range{});
}

// Against a bit a page: nothing handed out twice, nothing lost, every run maximal.
void ArenaTest::a_random_history_agrees_with_a_plain_one() {
    constexpr std::uint64_t kPages = 512;
    const auto seed = std::random_device{}();
    qInfo("seed %u", seed);
    std::mt19937 random(seed);
    const auto arena = arena_of_pages(kPages);
    std::vector<bool> used(kPages);
    std::vector<Range> held;
    for (int step = 0; step < 20'000; ++step) {
        if (held.empty() || random() % 2 == 0) {
            const auto count = 1 + random() % 24;
            const auto strategy = static_cast<AllocationStrategy>(random() % 3);
            if (const auto offset = arena->find(count * kPage, strategy)) {
                const Range range{*offset, count * kPage};
                QVERIFY(arena->is_free(range));
                arena->mark_used(range);
                for (auto page = range.offset / kPage; page < range.end() / kPage; ++page) {
                    QVERIFY(!used[page]);
                    used[page] = true;
                }
                held.push_back(range);
            } else {
                QVERIFY(arena->largest_free() < count * kPage);
            }
        } else {
            std::swap(held[random() % held.size()], held.back());
            arena->mark_free(held.back());
            for (auto page = held.back().offset / kPage; page < held.back().end() / kPage; ++page)
                used[page] = false;
            held.pop_back();
        }
        std::map<std::uint64_t, std::uint64_t> runs;
        for (std::uint64_t page = 0; page < kPages; ++page) {
            if (used[page]) continue;
            const auto first = page;
            while (page < kPages && !used[page]) ++page;
            runs[first * kPage] = (page - first) * kPage;
        }
        QCOMPARE(arena->runs(), runs);
    }
}

QTEST_APPLESS_MAIN(ArenaTest)
#include "tst_arena.moc"
