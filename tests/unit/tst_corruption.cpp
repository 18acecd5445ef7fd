// SPDX-License-Identifier: MIT
// Damage is found, kept from everybody and told; and what ends leaves nothing to read.
#include <unistd.h>

#include <QtTest>

#include "memory/canary.h"
#include "service_bench.h"

using namespace snakepit::shm;
using test::kUser;
using test::ServiceFixture;
using namespace snakepit::shm::test;

namespace {

void write_at(const Grant& region, std::uint64_t offset, const QByteArray& bytes) {
    QCOMPARE(::pwrite(region.handle.get(), bytes.constData(), static_cast<size_t>(bytes.size()),
                      static_cast<off_t>(offset)),
             bytes.size());
}

}  // namespace

class Corruption : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void a_write_past_the_end_is_found_and_the_region_kept_from_everybody_data();
    void a_write_past_the_end_is_found_and_the_region_kept_from_everybody();
    void a_clock_that_is_set_back_delays_no_check();
    void writing_up_to_the_end_is_no_damage();
    void a_write_past_the_end_is_told_when_the_region_is_freed();
    void a_region_taken_by_force_is_not_called_damaged();
    void a_region_of_whole_pages_has_no_canary();
    void a_segment_that_vanished_or_was_cut_is_found_while_the_manager_runs();
    void a_description_that_changed_by_itself_is_found_while_the_manager_runs();
    void a_quarantine_whose_deadline_is_damaged_ends_only_by_hand();
    void a_canary_notices_zeros_and_a_cut();
    void secure_cleanup_leaves_zeros_data();
    void secure_cleanup_leaves_zeros();
    void a_manager_killed_while_it_overwrites_does_it_again();

  private:
    // With a segment of its own: only those have spare bytes that are nobody's.
    Result<Grant> dedicated(std::uint64_t size) {
        RegionOptions options;
        options.placement = Placement::dedicated;
        return user_->allocate(size, options);
    }
    // A look for damage, due or not.
    void check() {
        (void)service().check_now();
        while (service().run_slice(now().micros)) continue;
    }
};

void Corruption::a_write_past_the_end_is_found_and_the_region_kept_from_everybody_data() {
    QTest::addColumn<int>("size");
    QTest::addColumn<int>("behind");
    QTest::newRow("the first byte behind") << 1000 << 0;
    QTest::newRow("further behind") << 1000 << 2000;
    QTest::newRow("the last byte of the page") << 1000 << 3095;
    QTest::newRow("in the smallest canary") << 4080 << 15;
}

void Corruption::a_write_past_the_end_is_found_and_the_region_kept_from_everybody() {
    QFETCH(int, size);
    QFETCH(int, behind);
    const auto region = dedicated(static_cast<std::uint64_t>(size));
    Program other(bench_->service, kUser);
    const auto granted = other.map(region->id);
    check();
    QVERIFY(service().faults().empty());
    write_at(*region, static_cast<std::uint64_t>(size + behind), "!");
    service().tick(now().micros + bench_->config.health_check_interval_ms * 1000);
    QCOMPARE(service().info(user_->caller(), region->id)->state, RegionState::damaged);
    const auto refused = other.map(region->id);
    QCOMPARE(code(refused), ErrorCode::corruption_detected);
    QVERIFY(!refused.error().remedy.empty());
    QVERIFY(!other.take(*granted));  // nor over a grant it had
    QVERIFY(service().faults().at(region->slot).find("past its end") != std::string::npos);
    QCOMPARE(bench_->count_events(region->id, EventKind::damaged), 1U);
    check();
    QCOMPARE(bench_->count_events(region->id, EventKind::damaged), 1U);
    bench_->restart();
    QCOMPARE(code(other.map(region->id)), ErrorCode::corruption_detected);
    check();
    QVERIFY(service().faults().contains(region->slot));
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
    QVERIFY(service().faults().empty());
}

void Corruption::a_clock_that_is_set_back_delays_no_check() {
    const auto region = dedicated(1000);
    constexpr std::int64_t minutes = 200'000'000;  // no region expires in so many microseconds
    service().tick(now().micros + minutes);
    write_at(*region, 1000, "!");
    service().tick(now().micros);
    QCOMPARE(service().info(user_->caller(), region->id)->state, RegionState::damaged);
}

void Corruption::writing_up_to_the_end_is_no_damage() {
    const auto region = dedicated(1000);
    write_at(*region, 0, QByteArray(1000, 'x'));
    check();
    QVERIFY(service().faults().empty());
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
    QCOMPARE(bench_->count_events(region->id, EventKind::damaged), 0U);
}

void Corruption::a_write_past_the_end_is_told_when_the_region_is_freed() {
    const auto region = dedicated(1000);
    write_at(*region, 998, "abcd");
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
    QVERIFY(!bench_->has(region->id));
    const auto told = bench_->last_event(region->id, EventKind::damaged);
    QVERIFY(QString(told.text).contains("2 bytes past its end"));
    QCOMPARE(state().errors.by_type().at(ErrorType::corruption_detected), 1U);
}

void Corruption::a_region_taken_by_force_is_not_called_damaged() {
    const auto region = dedicated(1000);
    write_at(*region, 0, "secret");
    QVERIFY(user_->take(*region));
    QCOMPARE(service().deallocate(user_->caller(), region->id, true).value(), false);
    check();
    QVERIFY(user_->give(*region));
    service().released(region->slot, region->generation);
    QVERIFY(!bench_->has(region->id));
    QCOMPARE(bench_->count_events(region->id, EventKind::damaged), 0U);
}

void Corruption::a_region_of_whole_pages_has_no_canary() {
    for (const std::uint64_t size : {4096, 4081}) {
        const auto region = dedicated(size);
        QCOMPARE(state().registry.body(region->slot).flags & layout::kHasCanary, 0U);
    }
}

void Corruption::a_segment_that_vanished_or_was_cut_is_found_while_the_manager_runs() {
    const auto cut = dedicated(5000), gone = dedicated(1);
    check();
    QCOMPARE(::ftruncate(cut->handle.get(), 4096), 0);
    bench_->memory->fail_removal = false;
    QVERIFY(bench_->memory->remove_segment(state().allocator.segment_name_of(gone->slot), {}));
    check();
    QVERIFY(service().faults().at(gone->slot).find("removed") != std::string::npos);
    QVERIFY(service().faults().at(cut->slot).find("truncated") != std::string::npos);
    QCOMPARE(code(user_->map(gone->id)), ErrorCode::corruption_detected);
}

void Corruption::a_description_that_changed_by_itself_is_found_while_the_manager_runs() {
    const auto region = dedicated(1), sound = dedicated(1);
    bench_->edit([&](auto view) { view.slot(region->slot).body[0].actual_size ^= 1; });
    check();
    QVERIFY(service().faults().at(region->slot).find("checksum") != std::string::npos);
    QVERIFY(user_->map(sound->id));
}

void Corruption::a_quarantine_whose_deadline_is_damaged_ends_only_by_hand() {
    const auto region = dedicated(1);
    user_->cleanup({.all_eligible = true});
    const auto body = state().registry.control(region->slot).body;
    bench_->edit([&](auto view) { view.slot(region->slot).body[body].deadline = 1; });
    service().tick(now().micros);
    QVERIFY(bench_->has(region->id));
    check();
    QVERIFY(service().faults().contains(region->slot));
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
}

void Corruption::a_canary_notices_zeros_and_a_cut() {
    const auto segment =
        bench_->memory->create_segment("/with_canary", 8192, Pages::reserved, SegmentUse::shared);
    QVERIFY(!write_canary(segment->handle, 0, 8192, 8192));
    QVERIFY(!write_canary(segment->handle, 0, 8192 - 15, 8192));
    QVERIFY(write_canary(segment->handle, 4096, 100, 4096));
    QVERIFY(check_canary(segment->handle, 4096, 100, 4096).has_value());
    QVERIFY(overwrite_with_zeros(segment->handle, 0, 4096 + 100).has_value());
    QVERIFY(check_canary(segment->handle, 4096, 100, 4096).has_value());
    QVERIFY(overwrite_with_zeros(segment->handle, 4096 + 99, 10).has_value());
    const auto zeroed = check_canary(segment->handle, 4096, 100, 4096);
    QVERIFY(zeroed.error().message.find("9 bytes") != std::string::npos);
    QCOMPARE(::ftruncate(segment->handle.get(), 4096 + 1000), 0);
    QCOMPARE(code(check_canary(segment->handle, 4096, 100, 4096)), ErrorCode::corruption_detected);
}

void Corruption::secure_cleanup_leaves_zeros_data() {
    QTest::addColumn<int>("size");
    QTest::addColumn<bool>("elsewhere");
    QTest::newRow("small, at once") << 1000 << false;
    QTest::newRow("large, on another thread") << (5 << 20) << true;
}

void Corruption::secure_cleanup_leaves_zeros() {
    QFETCH(int, size);
    QFETCH(bool, elsewhere);
    bench_->config.secure_cleanup = true;
    bench_->reconfigure();
    const auto region = dedicated(static_cast<std::uint64_t>(size));
    const QByteArray secret(size, 's');
    write_at(*region, 0, secret);
    bench_->later = elsewhere;
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
    QCOMPARE(bench_->long_work.size(), elsewhere ? 1U : 0U);
    QCOMPARE(bench_->has(region->id), elsewhere);
    service().evaluate_all();  // meanwhile: does not begin again
    QCOMPARE(bench_->long_work.size(), elsewhere ? 1U : 0U);
    if (elsewhere) bench_->long_work.front()();
    QVERIFY(!bench_->has(region->id));
    QByteArray left(size, '?');
    QCOMPARE(::pread(region->handle.get(), left.data(), static_cast<size_t>(size), 0), size);
    QCOMPARE(left.count('\0'), size);
}

void Corruption::a_manager_killed_while_it_overwrites_does_it_again() {
    bench_->config.secure_cleanup = true;
    bench_->reconfigure();
    const auto region = dedicated(5 << 20);
    write_at(*region, 0, "secret");
    bench_->later = true;
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
    bench_->long_work.clear();
    bench_->later = false;
    bench_->restart();
    QVERIFY(!bench_->has(region->id));
    char bytes[6];
    QCOMPARE(::pread(region->handle.get(), bytes, 6, 0), 6);
    QCOMPARE(QByteArray(bytes, 6), QByteArray(6, '\0'));
}

QTEST_GUILESS_MAIN(Corruption)
#include "moc_service_bench.cpp"
#include "tst_corruption.moc"
