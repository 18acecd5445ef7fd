// SPDX-License-Identifier: MIT
// Percentiles against exact ones, programs whose references only grow, and what is advised.
#include <QtTest>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "layout/histogram.h"
#include "layout/lease_page.h"
#include "telemetry/recommendations.h"
#include "telemetry/reference_growth.h"

using namespace snakepit::shm;
using layout::Histogram;
using layout::HistogramCells;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::uint64_t kMiB = 1ULL << 20;

// As Histogram::percentile means it.
std::uint64_t exact(std::vector<std::uint64_t> values, double share) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

std::vector<TrendPoint> line(double from, double per_second, int points, double noise = 0) {
    std::mt19937 random(1);
    std::normal_distribution<double> off(0, noise > 0 ? noise : 1);
    std::vector<TrendPoint> out;
    for (int i = 0; i < points; ++i)
        out.push_back({{(1'000'000 + i * 10) * kSecond},
                       from + per_second * i * 10 + (noise > 0 ? off(random) : 0)});
    return out;
}

// A program's references, one look every ten seconds; whether it is suspect in the end.
bool suspect(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& held_and_taken) {
    ReferenceGrowth growth;
    std::int64_t at = 0;
    for (const auto& [held, taken] : held_and_taken) {
        const ClientReferences client{7, held, taken};
        growth.look(at += ReferenceGrowth::kEvery, std::span(&client, 1));
    }
    return !growth.growing().empty();
}

}  // namespace

class TestPerformance : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_percentile_is_off_by_a_sixteenth_at_most_data();
    void a_percentile_is_off_by_a_sixteenth_at_most();
    void what_was_added_between_two_copies_is_their_difference();
    void counts_of_another_histogram_come_into_the_same_buckets();
    void what_a_client_times_fits_its_page_and_its_buckets();
    void a_program_that_only_takes_is_suspect_after_a_minute();
    void who_gives_back_holds_or_takes_little_is_not_suspect();
    void a_program_that_went_is_forgotten();
    void a_steady_growth_meets_its_limit();
    void what_does_not_grow_in_a_line_or_meets_its_limit_late_is_not_told();
    void smaller_arenas_are_advised_where_much_is_kept_ready_for_little();
    void holes_idle_memory_and_limits_are_advised_when_they_are_worth_it();
};

void TestPerformance::a_percentile_is_off_by_a_sixteenth_at_most_data() {
    QTest::addColumn<double>("scale");  // of a log-normal distribution
    for (const double scale : {3.0, 8.0, 14.0, 22.0}) QTest::addRow("e^%.0f ns", scale) << scale;
}

void TestPerformance::a_percentile_is_off_by_a_sixteenth_at_most() {
    QFETCH(double, scale);
    std::mt19937_64 random(2);
    std::lognormal_distribution<double> times(scale, 1.5);
    const auto cells = std::make_unique<HistogramCells>();
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 20'000; ++i) {
        values.push_back(static_cast<std::uint64_t>(times(random)));
        cells->add(values.back());
    }
    const auto histogram = Histogram::of(*cells);
    QCOMPARE(histogram.count, std::uint64_t{20'000});
    for (const double share : {0.0, 0.5, 0.9, 0.99, 0.999, 1.0}) {
        const auto right = static_cast<double>(exact(values, share));
        const auto told = static_cast<double>(histogram.percentile(share));
        QVERIFY2(
            std::abs(told - right) <= right / 16 + 1,
            qPrintable(QString("%1: %2 is told, %3 is right").arg(share).arg(told).arg(right)));
    }
}

void TestPerformance::what_was_added_between_two_copies_is_their_difference() {
    const auto cells = std::make_unique<HistogramCells>();
    for (int i = 0; i < 100; ++i) cells->add(1'000'000);
    const auto before = Histogram::of(*cells);
    cells->add(5);
    cells->add(7);
    const auto since = Histogram::of(*cells).since(before);
    QCOMPARE(since.count, std::uint64_t{2});
    QCOMPARE(since.sum, std::uint64_t{12});
    QCOMPARE(since.percentile(0), std::uint64_t{5});
    QCOMPARE(since.percentile(1), std::uint64_t{7});
}

void TestPerformance::counts_of_another_histogram_come_into_the_same_buckets() {
    const auto one = std::make_unique<HistogramCells>(), other = std::make_unique<HistogramCells>();
    for (std::uint64_t nanos = 1; nanos < 1ULL << 41; nanos = nanos * 3 / 2 + 1) one->add(nanos);
    other->add_counts(Histogram::of(*one));
    QCOMPARE(Histogram::of(*other).buckets, Histogram::of(*one).buckets);
}

void TestPerformance::what_a_client_times_fits_its_page_and_its_buckets() {
    const auto times = std::make_unique<layout::LeaseTimes>();
    times->add(times->map, 20);
    times->add(times->map, 1ULL << 50);  // longer than there are buckets
    QCOMPARE(times->samples.load(), 2U);
    QCOMPARE(times->map[layout::bucket_of(20)].load(), 1U);
    QCOMPARE(times->map.back().load(), 1U);
    QCOMPARE(layout::bucket_floor(layout::LeaseTimes::kBuckets), std::uint64_t{1} << 22);
}

void TestPerformance::a_program_that_only_takes_is_suspect_after_a_minute() {
    ReferenceGrowth growth;
    for (std::uint64_t i = 0; i <= 6; ++i) {
        const ClientReferences clients[] = {{7, 400 + 10 * i, 400 + 10 * i}, {8, 50, 50 + i}};
        QVERIFY(growth.growing().empty());
        growth.look(static_cast<std::int64_t>(i) * ReferenceGrowth::kEvery, clients);
    }
    QCOMPARE(growth.growing().size(), std::size_t{1});
    const auto& found = growth.growing().front();
    QCOMPARE(found.serial, std::uint64_t{7});
    QCOMPARE(found.references, std::uint64_t{460});
    QCOMPARE(found.gained, std::uint64_t{60});
    QCOMPARE(found.bottom, std::uint64_t{400});
    QCOMPARE(found.since, std::int64_t{0});
}

void TestPerformance::who_gives_back_holds_or_takes_little_is_not_suspect() {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> gives, holds, little, pauses, grows;
    for (std::uint64_t i = 0; i < 20; ++i) {
        gives.emplace_back(100 + 10 * i, 100 + 30 * i);  // grows, and gives back 20 each time
        holds.emplace_back(1000, 1000 + 500 * i);
        little.emplace_back(100 + i, 100 + i);  // 6 in a minute
        pauses.emplace_back(100 + 20 * (i / 2), 100 + 20 * (i / 2));
        grows.emplace_back(100 + 10 * i, 100 + 10 * i);
    }
    QVERIFY(!suspect(gives));
    QVERIFY(!suspect(holds));
    QVERIFY(!suspect(little));
    QVERIFY(!suspect(pauses));
    QVERIFY(suspect(grows));
    grows.emplace_back(0, 300);  // it gave back what it held
    QVERIFY(!suspect(grows));
}

void TestPerformance::a_program_that_went_is_forgotten() {
    ReferenceGrowth growth;
    for (std::uint64_t i = 0; i < 10; ++i) {
        const ClientReferences client{7, 10 * i, 10 * i};
        growth.look(static_cast<std::int64_t>(i) * ReferenceGrowth::kEvery, std::span(&client, 1));
    }
    QVERIFY(!growth.growing().empty());
    growth.look(11 * ReferenceGrowth::kEvery, {});
    QVERIFY(growth.growing().empty());
}

void TestPerformance::a_steady_growth_meets_its_limit() {
    // 0.05 a second from 500 on for ten minutes: 529.5 now, 470.5 left.
    const auto advice = limit_ahead({"regions", 1000, false, "max_regions"}, line(500, 0.05, 60));
    QVERIFY(advice.has_value());
    QCOMPARE(advice->topic, std::string("limit"));
    QVERIFY2(
        advice->advice.find("regions (1000) will be reached in about 3 hours") != std::string::npos,
        advice->advice.c_str());
    QVERIFY2(advice->advice.find("max_regions") != std::string::npos, advice->advice.c_str());
    QVERIFY2(advice->evidence.find("100 %") != std::string::npos, advice->evidence.c_str());
    const auto noisy =
        limit_ahead({"regions", 1000, false, "max_regions"}, line(500, 0.05, 60, 2.0));
    QVERIFY(noisy.has_value());
}

void TestPerformance::what_does_not_grow_in_a_line_or_meets_its_limit_late_is_not_told() {
    const Limit limit{"regions", 1000, false, "max_regions"};
    QVERIFY(!limit_ahead(limit, line(500, 0, 60)));           // stays
    QVERIFY(!limit_ahead(limit, line(500, -0.05, 60)));       // falls
    QVERIFY(!limit_ahead(limit, line(500, 0.0005, 60)));      // in eleven days
    QVERIFY(!limit_ahead(limit, line(500, 0.05, 10)));        // known for too short
    QVERIFY(!limit_ahead(limit, line(500, 0.05, 60, 50.0)));  // up and down
    QVERIFY(!limit_ahead(limit, line(990, 0.05, 60)));        // reached already
    QVERIFY(!limit_ahead({"regions", 0, false, "max_regions"}, line(500, 0.05, 60)));
}

void TestPerformance::smaller_arenas_are_advised_where_much_is_kept_ready_for_little() {
    const std::vector<ArenaUse> small(10, {kMiB, kMiB, 33 * kMiB});
    const auto advice = smaller_arenas(small, 64 * kMiB);
    QVERIFY(advice.has_value());
    QCOMPARE(advice->bytes, 10 * 31 * kMiB);  // of the 32 behind each, 1 stays
    QVERIFY2(advice->advice.find("2 MiB") != std::string::npos, advice->advice.c_str());
    QVERIFY(!smaller_arenas(small, 2 * kMiB));  // small already
    QVERIFY(!smaller_arenas({}, 64 * kMiB));
    const std::vector<ArenaUse> full(10, {60 * kMiB, 62 * kMiB, 64 * kMiB});
    QVERIFY(!smaller_arenas(full, 64 * kMiB));
}

void TestPerformance::holes_idle_memory_and_limits_are_advised_when_they_are_worth_it() {
    const ArenaUse holey[] = {{20 * kMiB, 60 * kMiB, 60 * kMiB}};
    const auto together = defragmentation(holey);
    QVERIFY(together && together->bytes == 40 * kMiB);
    const ArenaUse dense[] = {{59 * kMiB, 60 * kMiB, 60 * kMiB}};
    QVERIFY(!defragmentation(dense));

    QVERIFY(idle_memory(3, 30 * kMiB, 100 * kMiB));
    QVERIFY(!idle_memory(3, kMiB, 100 * kMiB));
    QVERIFY(!idle_memory(3, 1000, 1000));

    const auto met = limits_met(
        {{ErrorCode::process_region_limit_exceeded, 40}, {ErrorCode::size_exceeds_limit, 2}});
    QCOMPARE(met.size(), std::size_t{1});
    QVERIFY(met[0].advice.find("max_regions_per_process") != std::string::npos);
    QVERIFY(met[0].evidence.find("40 requests") != std::string::npos);

    const auto taker =
        never_unmaps({"python (12)", "s1", evidence_of({7, 412, 60, 60'000'000, 0, 352}), 300});
    QVERIFY2(taker.advice.find("session s1 (python (12)) never unmaps") != std::string::npos,
             taker.advice.c_str());
    QVERIFY2(taker.evidence.find("holds 412 references, 60 more") != std::string::npos,
             taker.evidence.c_str());
}

QTEST_GUILESS_MAIN(TestPerformance)
#include "tst_performance.moc"
