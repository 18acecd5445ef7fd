// SPDX-License-Identifier: MIT
// An allocation from the request to the answer, cut off at each step: by the manager's end, by the
// client's, and by a client that reserves its memory itself.
#include <QtTest>

#include "service_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;
using layout::SlotState;

namespace {
constexpr std::uint64_t kLarge = 8 << 20;

RegionOptions dedicated() {
    RegionOptions options;
    options.placement = Placement::dedicated;
    return options;
}
}  // namespace

class Allocation : public QObject {
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
    void a_request_that_a_manager_ended_in_is_not_repeated();
    void it_is_not_repeated_by_a_third_manager_either();
    void one_that_took_no_memory_yet_is_repeated();
    void a_pooled_one_whose_pages_are_there_is_repeated();
    void a_durable_region_is_made_once_however_often_it_is_asked_for();
    void a_region_of_its_user_is_made_once_however_often_it_is_asked_for();
    void the_client_reserves_what_is_large_and_its_own();
    void what_is_small_pooled_or_durable_the_manager_reserves();
    void nobody_sees_a_region_before_its_memory_is_there();
    void what_a_client_reserves_goes_when_it_gives_up();
    void what_a_client_reserves_goes_with_its_connection();
    void what_a_client_reserves_goes_with_the_client();
    void what_a_client_reserves_goes_with_the_manager_and_can_be_asked_for_again();
    void what_it_reserves_and_asks_for_anew_is_made_once();
    void another_client_cannot_say_that_it_is_reserved();
    void what_nobody_heard_of_goes();
    void what_somebody_uses_stays();
    void an_allocation_that_is_given_up_while_it_is_made_goes();
    void a_limit_counts_what_is_held_now();

  private:
    RegionService& service() const { return *bench_->service; }
    ServiceState& state() const { return *bench_->state; }
    Result<Grant> begin(std::uint64_t request, std::uint64_t size = kLarge,
                        const RegionOptions& options = dedicated()) const {
        Result<Grant> out = fail(ErrorCode::timeout, "no answer");
        service().allocate(user_->caller(), request, size, options,
                           [&](Result<Grant> granted) { out = std::move(granted); },
                           {.can_reserve = true});
        return out;
    }
    Result<Grant> reserved(const Program& program, std::uint64_t request) const {
        Result<Grant> out = fail(ErrorCode::timeout, "no answer");
        service().reserved(program.caller(), request,
                           [&](Result<Grant> granted) { out = std::move(granted); });
        return out;
    }
    std::size_t listed() const {
        std::uint32_t slot = 0;
        return service().list(user_->caller(), {}, slot, 1 << 20)->size();
    }
    bool nothing() const {
        return listed() == 0 && state().registry.used_count() == 0 &&
               bench_->memory->segment_count() == 0 && state().allocator.bytes_used() == 0 &&
               state().allocator.bytes_reserved() == 0;
    }
    void cut_off(std::uint64_t request) const {
        bench_->later = true;
        (void)user_->allocate(kLarge, dedicated(), request);
        bench_->kill();
        bench_->long_work.clear();
        bench_->later = false;
        bench_->start();
    }

    std::unique_ptr<ServiceBench> bench_;
    std::unique_ptr<Program> user_;
};

void Allocation::a_request_that_a_manager_ended_in_is_not_repeated() {
    cut_off(7);
    const auto again = user_->allocate(kLarge, dedicated(), 7);
    QCOMPARE(again.error().code, ErrorCode::allocation_failed);
    QVERIFY(nothing());
    const auto anew = user_->allocate(kLarge, dedicated(), 8);
    QVERIFY(anew);
    QVERIFY(user_->allocate(kLarge, dedicated(), 7));  // it was told; asking once more is its own
    std::vector<layout::EventEntry> events(layout::kRingEntries);
    events.resize(state().registry.ring().read(1, events));
    QCOMPARE(std::count_if(events.begin(), events.end(),
                           [](const auto& entry) {
                               return entry.text[0] != 0 &&
                                      entry.kind == static_cast<int>(EventKind::allocation_failed);
                           }),
             1);
}

void Allocation::it_is_not_repeated_by_a_third_manager_either() {
    cut_off(7);
    bench_->restart();
    bench_->restart();
    QCOMPARE(state().allocator.bytes_used(), 0U);
    QCOMPARE(user_->allocate(kLarge, dedicated(), 7).error().code, ErrorCode::allocation_failed);
    QVERIFY(nothing());
}

void Allocation::one_that_took_no_memory_yet_is_repeated() {
    QVERIFY(begin(7)->reserve);  // the manager takes none at all
    bench_->restart();
    QVERIFY(user_->allocate(kLarge, dedicated(), 7));
}

void Allocation::a_pooled_one_whose_pages_are_there_is_repeated() {
    const auto first = user_->allocate(8192, {}, 6);
    QVERIFY(first && service().deallocate(user_->caller(), first->id, false).value());
    const auto second = user_->allocate(8192, {}, 7);
    QVERIFY(second);
    const auto slot = second->slot;
    bench_->kill();
    bench_->set_state(slot, SlotState::reserved);
    bench_->start();
    QVERIFY(user_->allocate(8192, {}, 7));
}

void Allocation::a_durable_region_is_made_once_however_often_it_is_asked_for() {
    RegionOptions options;
    options.durable = true;
    const auto first = user_->allocate(8192, options, 7);
    QVERIFY(first);
    QCOMPARE(user_->allocate(8192, options, 7)->id, first->id);
    bench_->restart();
    QCOMPARE(user_->allocate(8192, options, 7)->id, first->id);
    QCOMPARE(listed(), std::size_t{1});
    // The same number of another client is another request.
    Program other(bench_->service, {100, 5000, 500});
    QVERIFY(other.allocate(8192, options, 7)->id != first->id);
}

void Allocation::a_region_of_its_user_is_made_once_however_often_it_is_asked_for() {
    RegionOptions options;
    options.owned_by_user = true;
    const auto first = user_->allocate(8192, options, 7);
    bench_->restart();
    QCOMPARE(user_->allocate(8192, options, 7)->id, first->id);
    QCOMPARE(listed(), std::size_t{1});
}

void Allocation::the_client_reserves_what_is_large_and_its_own() {
    const auto told = begin(7);
    QVERIFY(told && told->reserve && told->handle);
    QCOMPARE(told->segment_size, kLarge);
    const auto granted = reserved(*user_, 7);
    QVERIFY(granted && !granted->reserve);
    QCOMPARE(granted->id, told->id);
    QVERIFY(user_->take(*granted));
    QCOMPARE(reserved(*user_, 7)->id, told->id);  // the answer was lost
    QCOMPARE(listed(), std::size_t{1});
}

void Allocation::what_is_small_pooled_or_durable_the_manager_reserves() {
    RegionOptions durable;
    durable.durable = true;
    QVERIFY(!begin(1, 8192)->reserve);
    QVERIFY(!begin(2, kLarge, {})->reserve);
    QVERIFY(!begin(3, kLarge, durable)->reserve);
    QVERIFY(!user_->allocate(kLarge, dedicated())->reserve);  // a client that cannot
}

void Allocation::nobody_sees_a_region_before_its_memory_is_there() {
    const auto told = begin(7);
    QVERIFY(!user_->take(*told));
    QCOMPARE(listed(), std::size_t{0});
    QCOMPARE(user_->map(told->id).error().code, ErrorCode::region_not_found);
}

void Allocation::what_a_client_reserves_goes_when_it_gives_up() {
    QVERIFY(begin(7)->reserve);
    service().cancel_allocation(user_->caller(), 7);
    QVERIFY(nothing());
    QCOMPARE(reserved(*user_, 7).error().code, ErrorCode::region_not_found);
    service().cancel_allocation(user_->caller(), 7);  // again, or never begun: nothing
    service().cancel_allocation(user_->caller(), 99);
}

void Allocation::what_a_client_reserves_goes_with_its_connection() {
    QVERIFY(begin(7)->reserve);
    service().connection_lost(user_->client());
    QVERIFY(nothing());
}

void Allocation::what_a_client_reserves_goes_with_the_client() {
    Program other(bench_->service, {100, 5000, 500});
    QVERIFY(begin(7)->reserve);
    user_->die();
    QVERIFY(service().reap_if_dead(user_->client()));
    QCOMPARE(state().registry.used_count(), std::size_t{0});
    QCOMPARE(bench_->memory->segment_count(), std::size_t{0});
}

void Allocation::what_a_client_reserves_goes_with_the_manager_and_can_be_asked_for_again() {
    QVERIFY(begin(7)->reserve);
    bench_->restart();
    QVERIFY(nothing());
    QCOMPARE(reserved(*user_, 7).error().code, ErrorCode::region_not_found);
    QVERIFY(begin(7)->reserve);
    QVERIFY(reserved(*user_, 7));
}

void Allocation::what_it_reserves_and_asks_for_anew_is_made_once() {
    const auto first = begin(7), second = begin(7);
    QVERIFY(second->reserve && first->id != second->id);
    QCOMPARE(bench_->memory->segment_count(), std::size_t{1});
    QCOMPARE(reserved(*user_, 7)->id, second->id);
    QCOMPARE(listed(), std::size_t{1});
}

void Allocation::another_client_cannot_say_that_it_is_reserved() {
    Program other(bench_->service, {100, 5000, 500});
    QVERIFY(begin(7)->reserve);
    QCOMPARE(reserved(other, 7).error().code, ErrorCode::region_not_found);
    service().cancel_allocation(other.caller(), 7);
    QVERIFY(reserved(*user_, 7));
}

void Allocation::what_nobody_heard_of_goes() {
    RegionOptions durable;
    durable.durable = true;
    for (const auto& options : {RegionOptions{}, dedicated(), durable}) {
        const auto made = user_->allocate(8192, options);
        service().drop_unclaimed(made->slot, made->generation);
        QCOMPARE(listed(), std::size_t{0});
        QVERIFY(!state().allocator.durable.has(made->id));
    }
}

void Allocation::what_somebody_uses_stays() {
    RegionOptions durable;
    durable.durable = true;
    const auto mine = user_->allocate(8192, durable), others = user_->allocate(8192, durable);
    QVERIFY(user_->take(*mine) && user_->give(*mine));  // no sweep has seen it yet
    Program other(bench_->service, {101, 5000, 500});
    const auto mapped = other.map(others->id);
    QVERIFY(mapped && other.take(*mapped));
    service().drop_unclaimed(mine->slot, mine->generation);
    service().drop_unclaimed(others->slot, others->generation);
    QCOMPARE(listed(), std::size_t{2});
}

void Allocation::an_allocation_that_is_given_up_while_it_is_made_goes() {
    bench_->later = true;
    bool made = true;
    service().allocate(user_->caller(), 7, kLarge, dedicated(),
                       [&](const Result<Grant>& granted) { made = granted.has_value(); });
    service().cancel_allocation(user_->caller(), 7);
    bench_->later = false;
    for (const auto& work : std::exchange(bench_->long_work, {})) work();
    QVERIFY(!made && nothing());
}

void Allocation::a_limit_counts_what_is_held_now() {
    bench_->config.max_regions = 1;
    bench_->reconfigure();
    const auto held = user_->allocate(8192);
    QVERIFY(user_->take(*held));
    const auto refused = user_->allocate(8192);
    QCOMPARE(refused.error().code, ErrorCode::region_limit_exceeded);
    QVERIFY2(refused.error().remedy.starts_with("every region is in use"),
             refused.error().remedy.c_str());
    QVERIFY(user_->give(*held));
    QVERIFY(user_->allocate(8192).error().remedy.starts_with("1 idle region holds 8 KiB"));
}

QTEST_GUILESS_MAIN(Allocation)
#include "moc_service_bench.cpp"
#include "tst_allocation.moc"
