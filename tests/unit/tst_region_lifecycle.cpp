// SPDX-License-Identifier: MIT
// What happens to a region that is found idle, held or freed, and in which order.
#include <QtTest>

#include <string>
#include <vector>

#include "policy_fixture.h"
#include "regions/region_lifecycle.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

class Handler final : public IdleHandler {
  public:
    Handler(std::string name, std::vector<std::string>& calls)
        : name_(std::move(name)), calls_(calls) {}
    bool region_idle(std::uint32_t) override {
        calls_.push_back(name_ + " idle");
        return moves;
    }
    void region_held(std::uint32_t) override { calls_.push_back(name_ + " held"); }
    void region_freed(const RegionId&, bool) override { calls_.push_back(name_ + " freed"); }
    bool moves = false;

  private:
    std::string name_;
    std::vector<std::string>& calls_;
};

using Calls = std::vector<std::string>;

}  // namespace

class TestRegionLifecycle : public PolicyFixture {
    Q_OBJECT

  private Q_SLOTS:
    void handlers_are_asked_in_their_order_until_one_moves_the_region();
    void a_region_that_is_sealed_is_not_moved_again_for_its_policy();
    void the_regions_of_a_dead_owner_are_orphans_whatever_was_freed_before();
};

void TestRegionLifecycle::handlers_are_asked_in_their_order_until_one_moves_the_region() {
    ClientRegistry clients(state());
    EncryptionRecords encryption(state());
    IntegrityCheck integrity(state(), encryption);
    AccessAudit audit(state());
    RegionLifecycle lifecycle(state(), clients, integrity, audit);
    Calls calls;
    Handler first("first", calls), second("second", calls);
    lifecycle.set_idle_handlers({&first, &second});
    const auto region = user_->allocate(1000);
    QVERIFY(region);
    const auto at = state().registry.time();

    lifecycle.evaluate(region->slot, at);
    QCOMPARE(calls, (Calls{"first idle", "second idle"}));
    calls.clear();
    first.moves = true;
    lifecycle.evaluate(region->slot, at);
    QCOMPARE(calls, (Calls{"first idle"}));
    calls.clear();
    QVERIFY(user_->take(*region));
    lifecycle.evaluate(region->slot, at);
    QCOMPARE(calls, (Calls{"first held", "second held"}));
    calls.clear();
    QVERIFY(user_->give(*region));
    QVERIFY(lifecycle.retire(region->slot, "test", {}).value_or(false));
    QCOMPARE(calls, (Calls{"first freed", "second freed"}));
}

void TestRegionLifecycle::a_region_that_is_sealed_is_not_moved_again_for_its_policy() {
    RegionOptions options;
    options.permissions.other = Permission::read_only;
    options.exact_permissions = true;
    const auto region = user_->allocate(1000, options);
    QVERIFY(region && user_->take(*region));
    bool sealed = true;
    service().seal(user_->caller(), region->id, [&](Result<bool> done) { sealed = *done; });
    QVERIFY(!sealed);
    QVERIFY(set(user_->caller(), region->id, R"({"permissions":{"other":"none"}})"));
    QVERIFY(user_->give(*region));
    service().released(region->slot, region->generation);
    const auto seal = bench_->last_event(region->id, EventKind::sealed);
    const auto move = bench_->last_event(region->id, EventKind::moved);
    QVERIFY(seal.seq > 0);
    // The memory it was sealed in is fresh, as the policy demands.
    QCOMPARE(move.seq, 0U);
    QCOMPARE(state().registry.body(region->slot).flags & layout::kPolicyPending, 0U);
    QVERIFY(state().registry.body(region->slot).sealed != 0);
}

void TestRegionLifecycle::the_regions_of_a_dead_owner_are_orphans_whatever_was_freed_before() {
    Program owner(bench_->service, {101, 5000, 500});
    std::vector<Grant> regions;
    for (int i = 0; i < 6; ++i) regions.push_back(std::move(*owner.allocate(1000)));
    const auto other = user_->allocate(1000);
    QVERIFY(other);
    for (const std::size_t i : {0U, 3U, 5U})
        QVERIFY(service().deallocate(owner.caller(), regions[i].id, false).value_or(false));
    owner.die();
    QVERIFY(service().reap_if_dead(owner.client()));
    for (const std::size_t i : {1U, 2U, 4U})
        QVERIFY(state().registry.control(regions[i].slot).orphan);
    QVERIFY(!state().registry.control(other->slot).orphan);
    QCOMPARE(state().totals().orphans, std::uint64_t{3});
}

QTEST_GUILESS_MAIN(TestRegionLifecycle)
#include "moc_policy_fixture.cpp"
#include "moc_service_bench.cpp"
#include "tst_region_lifecycle.moc"
