// SPDX-License-Identifier: MIT
// Regions that nobody can change any more, and regions that survive a reboot.
#include <QDir>
#include <QtTest>

#include "memory_view.h"

using namespace snakepit::shm;
using test::kSecond;
using test::kUser;
using test::Program;
using test::ServiceFixture;
using test::View;

namespace {

constexpr std::uint64_t kPage = 4096;

}  // namespace

class SealedDurable : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void a_sealed_region_cannot_be_written();
    void sealing_waits_for_the_last_reference();
    void a_durable_region_survives_a_reboot();
    void a_durable_region_that_was_deallocated_does_not_come_back();
    void a_description_that_was_cut_off_leaves_nothing();

  private:
    void write(const Grant& grant, int value) { View(*bench_, grant).fill(value); }
    bool holds(const Grant& grant, int value) { return View(*bench_, grant).all(value); }
    void free(const Grant& grant) {
        QVERIFY(service().deallocate(user_->caller(), grant.id, false).value());
    }
};

void SealedDurable::a_sealed_region_cannot_be_written() {
    const auto region = user_->allocate(kPage);
    View stale(*bench_, *region);
    stale.fill(5);
    bool sealed = false;
    service().seal(user_->caller(), region->id,
                   [&](const Result<bool>& done) { sealed = done.value(); });
    QVERIFY(sealed);
    QCOMPARE(user_->map(region->id).error().code, ErrorCode::read_only);
    const auto again = user_->map(region->id, AccessMode::read_only);
    QVERIFY(again.has_value());
    QCOMPARE(again->arena, 0U);
    const auto info = service().info(user_->caller(), region->id);
    QVERIFY(info->sealed);
    stale.fill(6);  // what was mapped before is not there any more
    const auto check = [&] {
        const auto handle = state().allocator.open(region->slot, AccessMode::read_only);
        const auto mapping = Mapping::map(*handle, kPage, Mapping::Access::read_only);
        return mapping->data()[0] == std::byte(5) && mapping->data()[kPage - 1] == std::byte(5);
    };
    QVERIFY(check());
    bench_->restart();
    QVERIFY(service().info(user_->caller(), region->id)->sealed);
    QCOMPARE(user_->map(region->id).error().code, ErrorCode::read_only);
    QVERIFY(check());
    free(*region);
    service().tick(now().micros + 60 * kSecond);
    QCOMPARE(bench_->memory->segment_count(), 0U);
}

void SealedDurable::sealing_waits_for_the_last_reference() {
    const auto region = user_->allocate(kPage);
    QVERIFY(user_->take(*region));
    std::optional<bool> sealed;
    service().seal(user_->caller(), region->id,
                   [&](const Result<bool>& done) { sealed = done.value(); });
    QCOMPARE(sealed, std::optional(false));
    Program other(bench_->service, kUser);
    QCOMPARE(other.map(region->id).error().code, ErrorCode::read_only);
    write(*region, 3);
    bench_->restart();
    QVERIFY(user_->give(*region));
    service().tick(now().micros);
    QVERIFY(service().info(user_->caller(), region->id)->sealed);
    QVERIFY(other.map(region->id, AccessMode::read_only));
}

void SealedDurable::a_durable_region_survives_a_reboot() {
    const auto region =
        user_->allocate(3 * kPage, {.durable = true, .metadata = R"({"name":"weights"})"});
    write(*region, 42);
    bench_->kill();
    bench_->reboot();
    bench_->start();
    Program later(bench_->service, kUser);
    const auto info = service().info(later.caller(), region->id);
    QVERIFY(info.has_value());
    QVERIFY(info->durable);
    QCOMPARE(info->size, 3 * kPage);
    QCOMPARE(info->metadata, std::string(R"({"name":"weights"})"));
    QCOMPARE(info->state, RegionState::live);
    QVERIFY(holds(*later.map(region->id), 42));
    service().tick(now().micros + 3600 * kSecond);
    QVERIFY(bench_->has(region->id));
}

void SealedDurable::a_durable_region_that_was_deallocated_does_not_come_back() {
    const auto held = user_->allocate(kPage, {.durable = true}),
               idle = user_->allocate(kPage, {.durable = true});
    QVERIFY(user_->take(*held));
    QVERIFY(service().deallocate(user_->caller(), idle->id, false).value());
    QVERIFY(!service().deallocate(user_->caller(), held->id, false).value());
    bench_->kill();
    bench_->reboot();
    bench_->start();
    QVERIFY(!bench_->has(held->id));
    QVERIFY(!bench_->has(idle->id));
    QCOMPARE(bench_->memory->segment_count(), 0U);
}

void SealedDurable::a_description_that_was_cut_off_leaves_nothing() {
    const auto kept = user_->allocate(kPage, {.durable = true});
    const auto directory = QString::fromStdString(bench_->paths().durable_dir());
    bench_->kill();
    QFile cut(directory + "/" + QString::fromStdString(RegionId::generate().str()) + ".region.new");
    QVERIFY(cut.open(QIODevice::WriteOnly));
    cut.close();
    bench_->start();
    QVERIFY(!cut.exists());
    QVERIFY(bench_->has(kept->id));
}

QTEST_GUILESS_MAIN(SealedDurable)
#include "moc_service_bench.cpp"
#include "tst_sealed_durable.moc"
