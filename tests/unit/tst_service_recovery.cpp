// SPDX-License-Identifier: MIT
// What a manager finds after kill -9 between any two of its stores, and after a client cheated.
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QtTest>
#include <cstdio>
#include <filesystem>

#include "layout/registry_reader.h"
#include "service_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;
using layout::LeaseWord;
using layout::SlotState;

class ServiceRecovery : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        bench_ = std::make_unique<ServiceBench>();
        user_ = std::make_unique<Program>(bench_->service, Credentials{100, 5000, 500});
    }
    void cleanup() {
        user_.reset();
        bench_.reset();
    }
    void references_outlive_the_manager();
    void a_registry_that_was_just_begun_keeps_its_regions();
    void what_was_being_made_is_undone();
    void what_was_being_withdrawn_is_as_before();
    void what_was_being_freed_is_freed();
    void what_was_given_back_already_is_not_taken_for_damaged();
    void readers_see_a_change_whose_number_was_never_written();
    void use_while_no_manager_ran_counts();
    void a_client_that_cannot_be_looked_at_keeps_what_it_holds();
    void a_client_that_cuts_its_page_harms_only_itself();
    void numbers_in_a_page_count_only_for_what_was_granted();
    void takes_of_an_earlier_region_are_not_counted_for_the_next();

  private:
    RegionService& service() { return *bench_->service; }
    ServiceState& state() { return *bench_->state; }
    std::string page_of(const Program& program) {
        char name[17];
        std::snprintf(name, sizeof name, "%016llx",
                      static_cast<unsigned long long>(service().client(program.client()).page));
        return bench_->paths().lease_dir() + "/" + name;
    }
    std::unique_ptr<ServiceBench> bench_;
    std::unique_ptr<Program> user_;
};

void ServiceRecovery::references_outlive_the_manager() {
    const auto region = user_->allocate(1);
    QVERIFY(user_->take(*region) && user_->take(*region));
    bench_->restart();
    QCOMPARE(bench_->references(user_->caller(), region->id), 2U);
    QVERIFY(user_->give(*region));
    QCOMPARE(bench_->references(user_->caller(), region->id), 1U);
}

void ServiceRecovery::a_registry_that_was_just_begun_keeps_its_regions() {
    const auto region = user_->allocate(1);
    bench_->restart();
    QVERIFY(state().registry.note().empty());
    QVERIFY(bench_->has(region->id));
    QCOMPARE(bench_->memory->segment_count(), 1U);
}

void ServiceRecovery::what_was_being_made_is_undone() {
    const auto region = user_->allocate(1);
    bench_->kill();
    bench_->set_state(region->slot, SlotState::reserved);
    bench_->start();
    QVERIFY(!bench_->has(region->id));
    QCOMPARE(bench_->memory->segment_count(), 0U);
    QCOMPARE(state().allocator.bytes_used(), 0U);
    QVERIFY(!user_->take(*region));
}

void ServiceRecovery::what_was_being_withdrawn_is_as_before() {
    const auto idle = user_->allocate(1);
    const auto held = user_->allocate(1);
    QVERIFY(user_->take(*held));
    bench_->kill();
    bench_->set_state(idle->slot, SlotState::retiring);
    bench_->set_state(held->slot, SlotState::retiring);
    bench_->start();
    QCOMPARE(state().registry.control(idle->slot).state, SlotState::live);
    QCOMPARE(state().registry.control(held->slot).state, SlotState::live);
    QCOMPARE(bench_->references(user_->caller(), held->id), 1U);
    QVERIFY(user_->take(*idle));
}

void ServiceRecovery::what_was_being_freed_is_freed() {
    const auto region = user_->allocate(1, {.placement = Placement::dedicated});
    const auto before = state().registry.ring().head();
    bench_->kill();
    bench_->set_state(region->slot, SlotState::freeing);
    bench_->start();
    QVERIFY(!bench_->has(region->id));
    QCOMPARE(bench_->memory->segment_count(), 0U);
    std::vector<layout::EventEntry> events(100);
    events.resize(state().registry.ring().read(before + 1, events));
    QCOMPARE(
        std::count_if(events.begin(), events.end(),
                      [](const auto& e) { return e.kind == static_cast<int>(EventKind::freed); }),
        1);
}

void ServiceRecovery::what_was_given_back_already_is_not_taken_for_damaged() {
    const auto region = user_->allocate(1, {.placement = Placement::dedicated});
    const auto name = state().allocator.segment_name_of(region->slot);
    bench_->kill();
    bench_->set_state(region->slot, SlotState::freeing);
    QVERIFY(bench_->memory->remove_segment(name, {}));
    bench_->start();
    QVERIFY(!bench_->has(region->id));
    QCOMPARE(bench_->count_events(region->id, EventKind::freed), 1U);
    QCOMPARE(bench_->count_events(region->id, EventKind::damaged), 0U);
}

void ServiceRecovery::readers_see_a_change_whose_number_was_never_written() {
    const auto region = user_->allocate(1);
    auto reader = RegistryReader::open(bench_->paths().registry());
    QCOMPARE(reader->poll().changed.size(), 1U);
    bench_->kill();
    bench_->set_state(region->slot, SlotState::free);
    QVERIFY(reader->poll().vacated.empty());
    bench_->start();
    const auto vacated = reader->poll().vacated;
    QVERIFY(std::find(vacated.begin(), vacated.end(), region->slot) != vacated.end());
}

void ServiceRecovery::use_while_no_manager_ran_counts() {
    RegionOptions options;
    options.timeout_ms = 60'000;
    const auto region = user_->allocate(1, options);
    bench_->kill();
    bench_->edit([&](auto view) { view.stats(region->slot).last_accessed -= 3600 * kSecond; });
    QVERIFY(user_->take(*region) && user_->give(*region));
    bench_->start();
    QVERIFY(bench_->has(region->id));
}

void ServiceRecovery::a_client_that_cannot_be_looked_at_keeps_what_it_holds() {
    const auto region = user_->allocate(1);
    QVERIFY(user_->take(*region));
    const auto page = page_of(*user_);
    std::filesystem::rename(page, page + ".moved");
    std::filesystem::create_symlink(page + ".moved", page);
    bench_->restart();
    QCOMPARE(service().deallocate(user_->caller(), region->id, false).value(), false);
    QVERIFY(bench_->has(region->id));
    QVERIFY(!user_->allocate(1));
    std::filesystem::remove(page);
    std::filesystem::rename(page + ".moved", page);
    user_->die();
    QVERIFY(service().reap_if_dead(user_->client()));
    QVERIFY(!bench_->has(region->id));
}

void ServiceRecovery::a_client_that_cuts_its_page_harms_only_itself() {
    Program cheat(bench_->service, {101, 5000, 500});
    const auto shared = user_->allocate(1);
    QVERIFY(cheat.map(shared->id));
    QCOMPARE(::ftruncate(cheat.liveness_lock().get(), 0), 0);
    QVERIFY(!cheat.allocate(1));
    QVERIFY(service().client(cheat.client()).hostile);
    QVERIFY(!cheat.map(shared->id));
    // The slot its allocation failed in serves others as ever.
    for (int i = 0; i < 1100; ++i) {
        const auto region = user_->allocate(1);
        QCOMPARE(service().deallocate(user_->caller(), region->id, false).value(), true);
    }
    QCOMPARE(service().deallocate(user_->caller(), shared->id, false).value(), false);
    cheat.die();
    QVERIFY(service().reap_if_dead(cheat.client()));
    QVERIFY(!bench_->has(shared->id));
}

void ServiceRecovery::numbers_in_a_page_count_only_for_what_was_granted() {
    const auto region = user_->allocate(1);
    Program cheat(bench_->service, {101, 5000, 500});
    const auto own = cheat.allocate(1);
    for (std::uint32_t slot = 0; slot < layout::kChunkSlots; ++slot) {
        cheat.lease().word(slot).store(LeaseWord::make(region->generation, LeaseWord::kMaxN));
        cheat.lease().acquisitions(slot).store(~0U);
        cheat.lease().mark(slot);
    }
    service().tick(now().micros);
    bench_->restart();
    QCOMPARE(bench_->references(user_->caller(), region->id), 0U);
    QCOMPARE(bench_->references(user_->caller(), own->id), LeaseWord::kMaxN - 1);
    QVERIFY(service().deallocate(user_->caller(), region->id, false).value());
    cheat.die();
    QVERIFY(service().reap_if_dead(cheat.client()));
    QCOMPARE(bench_->references(user_->caller(), own->id), 0U);
}

void ServiceRecovery::takes_of_an_earlier_region_are_not_counted_for_the_next() {
    const auto first = user_->allocate(1);
    QVERIFY(user_->take(*first) && user_->give(*first));
    QVERIFY(service().deallocate(user_->caller(), first->id, false).value());
    for (;;) {  // slots are used again first in, first out
        const auto next = user_->allocate(1);
        if (next->slot != first->slot) {
            QVERIFY(service().deallocate(user_->caller(), next->id, false).value());
            continue;
        }
        service().tick(now().micros);
        QCOMPARE(service().info(user_->caller(), next->id)->access_count, 0U);
        return;
    }
}

QTEST_GUILESS_MAIN(ServiceRecovery)
#include "moc_service_bench.cpp"
#include "tst_service_recovery.moc"
