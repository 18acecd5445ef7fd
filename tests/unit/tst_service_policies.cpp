// SPDX-License-Identifier: MIT
// Policies as the manager applies them: when they take effect, what survives what, who is refused.
#include <unistd.h>

#include <QFile>
#include <QTest>

#include "policy_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;
using namespace snakepit::shm::layout;

namespace {

// What the kernel would say of a process.
class Told final : public Identity {
  public:
    Told(std::int64_t start, std::vector<std::uint32_t> groups, std::optional<Executable> program)
        : start_(start), groups_(std::move(groups)), program_(std::move(program)) {}
    std::int64_t start_time() const override { return start_; }
    std::uint64_t number() const override { return 0; }
    const std::string& name() const override { return name_; }
    const std::optional<OtherIds>& other_ids() const override { return other_ids_; }
    const std::vector<std::uint32_t>& groups() const override { return groups_; }
    Handle watch() const override { return {}; }
    std::optional<Executable> program() const override { return program_; }
    bool same() const override { return alive; }
    bool alive = true;

  private:
    std::int64_t start_;
    std::string name_;
    std::optional<OtherIds> other_ids_;
    std::vector<std::uint32_t> groups_;
    std::optional<Executable> program_;
};

}  // namespace

class ServicePoliciesTest : public PolicyFixture {
    Q_OBJECT

  private Q_SLOTS:
    void an_idle_region_moves_out_of_its_arena_at_once();
    void a_held_region_is_opened_to_others_only_when_it_has_moved();
    void who_is_no_longer_allowed_takes_no_more_and_leaves_nothing_behind();
    void a_region_that_finds_no_room_moves_later();
    void a_restart_goes_on_with_what_is_not_in_effect_yet();
    void a_wider_policy_needs_no_move();
    void what_only_the_process_itself_tells_counts();
    void a_number_that_is_given_out_again_gets_nothing();
    void only_owner_manager_and_administrator_change_a_policy();
    void each_refusal_is_recorded_with_its_reason();
    void new_regions_get_the_configured_policy_and_keep_it();
    void encryption_that_is_required_refuses_what_is_not_encrypted();
    void quotas_hold_for_users_and_change_while_it_runs();
    void operators_tidy_up_and_change_nothing();
};

void ServicePoliciesTest::an_idle_region_moves_out_of_its_arena_at_once() {
    const auto region = user_->allocate(100);
    QVERIFY(region->arena != 0);
    QVERIFY(set(user_->caller(), region->id, "{}")->in_effect);
    QVERIFY(!service().info(user_->caller(), region->id)->arena.empty());  // plain: it may stay
    const auto report = set(user_->caller(), region->id, kAliceReads);
    QVERIFY2(report, report ? "" : report.error().sentence().c_str());
    QVERIFY(report->in_effect && report->own && !report->shares_memory);
    QVERIFY(service().info(user_->caller(), region->id)->arena.empty());
    QVERIFY(!user_->take(*region));  // it has moved: what was granted before counts no more
    Program alice(bench_->service, kAlice), bob(bench_->service, kBob);
    QVERIFY(alice.map(region->id, AccessMode::read_only));
    QCOMPARE(code(alice.map(region->id)), ErrorCode::permission_denied);
    QCOMPARE(code(bob.map(region->id, AccessMode::read_only)), ErrorCode::permission_denied);
    QCOMPARE(bench_->count_events(region->id, EventKind::policy_changed), 2U);
    const auto event = bench_->last_event(region->id, EventKind::policy_changed);
    QCOMPARE(event.uid, kUser.uid);
    QCOMPARE(QString(event.text), QString("read_write/none/none, 1 rule"));
}

void ServicePoliciesTest::a_held_region_is_opened_to_others_only_when_it_has_moved() {
    const auto region = user_->allocate(100);
    QVERIFY(user_->take(*region));
    const auto report = set(user_->caller(), region->id, kAliceReads);
    QVERIFY(!report->in_effect && report->shares_memory && !report->note.empty());
    Program alice(bench_->service, kAlice);
    const auto refused = alice.map(region->id, AccessMode::read_only);
    QCOMPARE(code(refused), ErrorCode::permission_denied);
    QVERIFY(refused.error().message.find("until it has moved") != std::string::npos);
    QVERIFY(user_->give(*region));
    service().released(region->slot, region->generation);
    QVERIFY(in_effect(region->id));
    QVERIFY(alice.map(region->id, AccessMode::read_only));
}

void ServicePoliciesTest::who_is_no_longer_allowed_takes_no_more_and_leaves_nothing_behind() {
    const auto region = user_->allocate(100, {.placement = Placement::dedicated});
    QVERIFY(set(user_->caller(), region->id,
                R"({"rules":[{"user":5001,"allow":["write"]},{"user":5002,"allow":["read"]}]})"));
    Program alice(bench_->service, kAlice), bob(bench_->service, kBob);
    const auto held = alice.map(region->id);
    const auto idle = bob.map(region->id, AccessMode::read_only);
    QVERIFY(alice.take(*held));
    const auto before = segment(region->id);

    const auto report = set(user_->caller(), region->id, kAliceReads);  // she wrote, bob read
    QVERIFY(!report->in_effect);
    QVERIFY(!bob.take(*idle));
    QVERIFY(!alice.take(*held));
    QCOMPARE(code(bob.map(region->id, AccessMode::read_only)), ErrorCode::permission_denied);
    QCOMPARE(code(alice.map(region->id)), ErrorCode::permission_denied);
    QVERIFY(alice.give(*held));
    service().released(held->slot, held->generation);
    QVERIFY(in_effect(region->id));
    const auto after = segment(region->id);
    QVERIFY(after != before);  // what she still has mapped is nobody's memory now
    QVERIFY(!alice.take(*held));
    const auto reads = alice.map(region->id, AccessMode::read_only);
    QVERIFY(reads && alice.take(*reads));
    // And to another name with the next one.
    QVERIFY(alice.give(*reads));
    QVERIFY(set(user_->caller(), region->id, kBobReads)->in_effect);
    QVERIFY(segment(region->id) != after);
    QCOMPARE(bench_->memory->segment_count(), 1U);
}

void ServicePoliciesTest::a_region_that_finds_no_room_moves_later() {
    const auto region = user_->allocate(100);
    const auto capacity = std::exchange(bench_->memory->capacity, 0);
    QVERIFY(!set(user_->caller(), region->id, kAliceReads)->in_effect);
    Program alice(bench_->service, kAlice);
    QVERIFY(!alice.map(region->id, AccessMode::read_only));
    bench_->memory->capacity = capacity;
    service().tick(now().micros + 2 * kSecond);
    QVERIFY(in_effect(region->id));
    QVERIFY(alice.map(region->id, AccessMode::read_only));
}

void ServicePoliciesTest::a_restart_goes_on_with_what_is_not_in_effect_yet() {
    const auto region = user_->allocate(100, {.placement = Placement::dedicated});
    QVERIFY(set(user_->caller(), region->id, kAliceWrites));
    Program alice(bench_->service, kAlice);
    const auto held = alice.map(region->id);
    QVERIFY(alice.take(*held));
    QVERIFY(!set(user_->caller(), region->id, kBobReads)->in_effect);
    bench_->restart();
    QVERIFY(!in_effect(region->id));
    QVERIFY(!alice.take(*held));
    QVERIFY(alice.give(*held));
    service().released(held->slot, held->generation);
    QVERIFY(in_effect(region->id));
    QVERIFY(!alice.take(*held));
}

void ServicePoliciesTest::a_wider_policy_needs_no_move() {
    const auto region = user_->allocate(100, {.placement = Placement::dedicated});
    QVERIFY(user_->take(*region));
    const auto before = segment(region->id);
    QVERIFY(set(user_->caller(), region->id, kAliceReads)->in_effect);
    QVERIFY(set(user_->caller(), region->id, kAliceWrites)->in_effect);
    QVERIFY(user_->take(*region));
    QCOMPARE(segment(region->id), before);
    Program alice(bench_->service, kAlice);
    QVERIFY(alice.map(region->id));
}

void ServicePoliciesTest::what_only_the_process_itself_tells_counts() {
    const auto id = executable_at("/usr/bin/id"), env = executable_at("/usr/bin/env");
    QVERIFY(id && env);
    const auto region = user_->allocate(100);
    QVERIFY(set(user_->caller(), region->id,
                R"({"rules":[{"program":"/usr/bin/id","group":777,"allow":["read"]}]})"));
    const Program alice(bench_->service, kAlice);
    auto caller = alice.caller();
    const auto may = [&](std::optional<Executable> program, std::vector<std::uint32_t> groups) {
        caller.identity = std::make_shared<Told>(5, std::move(groups), std::move(program));
        return service().map(caller, region->id, AccessMode::read_only).has_value();
    };
    QVERIFY(!may({}, {777}));
    QVERIFY(!may(env, {777}));
    QVERIFY(!may(id, {778}));
    // The same path and another file, as in another mount namespace.
    QVERIFY(!may(Executable{id->path, {id->file.device, id->file.inode + 1}}, {777}));
    QVERIFY(may(id, {776, 777}));
}

void ServicePoliciesTest::a_number_that_is_given_out_again_gets_nothing() {
    const auto region = user_->allocate(100);
    const auto mine = inspect_process(::getpid());
    QVERIFY(mine);
    const auto rule = QString(R"({"rules":[{"process":%1,"allow":["read"]}]})").arg(::getpid());
    const auto report = set(user_->caller(), region->id, rule.toStdString());
    QVERIFY2(report, report ? "" : report.error().sentence().c_str());
    const auto start = report->policy.rules[0].process_start;
    QVERIFY(start > 0);  // pinned when it was set
    const Credentials self{::getpid(), 5001, 501};
    const Program program(bench_->service, self);
    auto caller = program.caller();
    const auto process = std::make_shared<Told>(start, std::vector<std::uint32_t>{}, std::nullopt);
    caller.identity = process;
    QVERIFY(service().map(caller, region->id, AccessMode::read_only));
    process->alive = false;
    QVERIFY(!service().map(caller, region->id, AccessMode::read_only));
    caller.identity = std::make_shared<Told>(start + 1, std::vector<std::uint32_t>{}, std::nullopt);
    QVERIFY(!service().map(caller, region->id, AccessMode::read_only));
    QCOMPARE(code(set(user_->caller(), region->id,
                      R"({"rules":[{"process":999999999,"allow":["read"]}]})")),
             ErrorCode::policy_invalid);
}

void ServicePoliciesTest::only_owner_manager_and_administrator_change_a_policy() {
    const auto region = user_->allocate(100);
    Program alice(bench_->service, kAlice);
    QCOMPARE(code(set(alice.caller(), region->id, "{}")), ErrorCode::permission_denied);
    QCOMPARE(code(service().show_policy(alice.caller(), region->id)), ErrorCode::permission_denied);
    QVERIFY(set(user_->caller(), region->id, R"({"rules":[{"user":5001,"allow":["manage"]}]})"));
    QVERIFY(set(alice.caller(), region->id, kAliceReads));  // and gives herself what she likes
    QVERIFY(alice.map(region->id, AccessMode::read_only));
    QCOMPARE(code(set(alice.caller(), region->id, "{}")), ErrorCode::permission_denied);
    QVERIFY(set(root(), region->id, "{}"));
    QCOMPARE(bench_->last_event(region->id, EventKind::policy_changed).uid, 0U);
    QVERIFY(service().show_policy(user_->caller(), region->id));
}

void ServicePoliciesTest::each_refusal_is_recorded_with_its_reason() {
    const auto region = user_->allocate(100);
    Program alice(bench_->service, kAlice);
    std::vector<std::string> alarms;
    state().alarm = [&](const std::string& what) { alarms.push_back(what); };
    QVERIFY(!alice.map(region->id, AccessMode::read_only));
    QCOMPARE(alarms.size(), 1U);
    QCOMPARE(alarms[0],
             "user 5001 (process 200) was refused: map: no permission and no rule "
             "allows it, " +
                 region->id.str() + " (permission_denied)");
    const auto event = bench_->last_event(region->id, EventKind::refused);
    QCOMPARE(event.uid, kAlice.uid);
    QCOMPARE(event.pid, kAlice.pid);
    QCOMPARE(static_cast<ErrorCode>(event.result), ErrorCode::permission_denied);
    QCOMPARE(QString(event.text), QString("map: no permission and no rule allows it"));
    QCOMPARE(bench_->references(root(), region->id), 0U);
    QVERIFY(!service().require(alice.caller(), Privilege::configure, "reload"));
    QCOMPARE(QString(bench_->last_event({}, EventKind::refused).text),
             QString("reload: its role is client"));
    CleanupRequest request{.all_eligible = true};
    request.only = {region->id};
    QVERIFY(!alice.cleanup(request).items.at(0).removed);
    QVERIFY(QString(bench_->last_event(region->id, EventKind::refused).text).startsWith("cleanup"));
}

void ServicePoliciesTest::new_regions_get_the_configured_policy_and_keep_it() {
    bench_->config.policy = *parse_policy(kAliceReads);
    bench_->reconfigure();
    const auto region = user_->allocate(100);
    QVERIFY(region && region->arena == 0);
    RegionOptions exact;
    exact.exact_permissions = true;
    const auto own = user_->allocate(100, exact);
    QVERIFY(own->arena != 0);
    RegionOptions open;
    open.permissions.other = Permission::read_only;
    const auto wide = user_->allocate(100, open);
    Program alice(bench_->service, kAlice), bob(bench_->service, kBob);
    QVERIFY(alice.map(region->id, AccessMode::read_only));
    QVERIFY(!bob.map(region->id, AccessMode::read_only));
    QVERIFY(!alice.map(own->id, AccessMode::read_only));
    QVERIFY(bob.map(wide->id, AccessMode::read_only));
    bench_->config.policy = {};
    bench_->reconfigure();
    QVERIFY(alice.map(region->id, AccessMode::read_only));
    bench_->restart();
    QVERIFY(service().map(alice.caller(), region->id, AccessMode::read_only));
    bench_->config.policy.permissions.group = Permission::read_only;
    bench_->reconfigure();
    const auto shared = user_->allocate(100);
    QCOMPARE(service().info(root(), shared->id)->permissions.group, Permission::read_only);
    QVERIFY(!service().info(root(), shared->id)->has_policy);
}

void ServicePoliciesTest::encryption_that_is_required_refuses_what_is_not_encrypted() {
    const auto region = user_->allocate(100);
    QCOMPARE(code(set(user_->caller(), region->id, R"({"require_encryption":true})")),
             ErrorCode::encryption_required);
    QVERIFY(user_->map(region->id));
    bench_->config.policy.require_encryption = true;
    bench_->reconfigure();
    const auto refused = user_->allocate(100);
    QCOMPARE(code(refused), ErrorCode::encryption_required);
    QVERIFY(refused.error().remedy.find("high") != std::string::npos);
    QCOMPARE(state().totals().regions, 1U);
}

void ServicePoliciesTest::quotas_hold_for_users_and_change_while_it_runs() {
    bench_->config.quotas["5000"] = {2, 1000};
    bench_->config.quotas["default"] = {1, std::nullopt};
    bench_->config.max_regions_per_user = 50;
    bench_->reconfigure();
    Program alice(bench_->service, kAlice);
    QVERIFY(user_->allocate(600));
    QCOMPARE(code(user_->allocate(600)), ErrorCode::user_limit_exceeded);
    QVERIFY(user_->allocate(400));
    QCOMPARE(code(user_->allocate(1)), ErrorCode::user_limit_exceeded);
    QVERIFY(alice.allocate(5000));
    QCOMPARE(code(alice.allocate(1)), ErrorCode::user_limit_exceeded);
    bench_->config.quotas.clear();
    bench_->reconfigure();
    QVERIFY(alice.allocate(1) && user_->allocate(5000));
    QCOMPARE(state().allocator.usage().at(kAlice.uid).regions, 2U);
}

void ServicePoliciesTest::operators_tidy_up_and_change_nothing() {
    bench_->config.roles.operators = {"5001"};
    bench_->reconfigure();
    const auto region = user_->allocate(100);
    Program alice(bench_->service, kAlice);
    QVERIFY(service().info(alice.caller(), region->id));
    QVERIFY(service().show_policy(alice.caller(), region->id));
    QVERIFY(service().may(alice.caller(), Privilege::release_locks));
    QVERIFY(!service().may(alice.caller(), Privilege::configure));
    QCOMPARE(code(set(alice.caller(), region->id, kAliceReads)), ErrorCode::permission_denied);
    QCOMPARE(code(alice.map(region->id, AccessMode::read_only)), ErrorCode::permission_denied);
    QCOMPARE(code(service().deallocate(alice.caller(), region->id, false)),
             ErrorCode::permission_denied);
    QCOMPARE(alice.cleanup({.all_eligible = true}).removed, 1U);
    QVERIFY(service().restore(alice.caller(), region->id));
    bench_->config.roles = {};
    bench_->reconfigure();
    QCOMPARE(code(service().info(alice.caller(), region->id)), ErrorCode::permission_denied);
}

QTEST_GUILESS_MAIN(ServicePoliciesTest)
#include "moc_policy_fixture.cpp"
#include "moc_service_bench.cpp"
#include "tst_service_policies.moc"
