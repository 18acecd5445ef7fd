// SPDX-License-Identifier: MIT
// Regions whose accesses are recorded, without sockets.
#include <QtTest>

#include <vector>

#include "service_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

int count_of(ServiceBench& bench, EventKind kind) {
    std::vector<layout::EventEntry> entries(1000);
    const auto read = bench.state->registry.ring().read(1, entries);
    int count = 0;
    for (std::size_t i = 0; i < read; ++i)
        count += entries[i].kind == static_cast<std::uint16_t>(kind) ? 1 : 0;
    return count;
}

// What the client library does when the last reference goes.
void give_back(ServiceBench& bench, const Program& program, const Grant& grant) {
    QVERIFY(program.lease().release(grant.slot, grant.generation, !grant.audited) ==
            layout::LeasePage::Release::last);
    if (grant.tell_release) bench.service->released(grant.slot, grant.generation);
}

RegionOptions audited() {
    RegionOptions options;
    options.audit_access = true;
    return options;
}

}  // namespace

class TestAuditedAccess : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void each_access_and_its_end_is_an_event();
    void other_regions_keep_their_grants();
    void a_grant_that_is_not_used_is_taken_back();
    void one_that_is_used_is_not();
    void the_end_of_a_program_ends_its_accesses();
    void nothing_is_accessed_that_cannot_be_recorded();
    void the_configuration_can_ask_for_it();
    void a_policy_can_ask_for_it_and_cease_to();
    void a_program_that_keeps_its_grant_loses_it();
    void a_restart_forgets_neither_accesses_nor_their_end();
};

void TestAuditedAccess::each_access_and_its_end_is_an_event() {
    ServiceBench bench;
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096, audited());
    QVERIFY(made && made->audited && made->tell_release);
    QVERIFY(program.take(*made));
    QCOMPARE(count_of(bench, EventKind::accessed), 1);
    give_back(bench, program, *made);
    QCOMPARE(count_of(bench, EventKind::access_ended), 1);
    QVERIFY(!program.take(*made));  // without asking
    for (int i = 2; i < 5; ++i) {
        const auto again = program.map(made->id, AccessMode::read_only);
        QVERIFY(again.has_value());
        QVERIFY(program.take(*again));
        QCOMPARE(count_of(bench, EventKind::accessed), i);
        give_back(bench, program, *again);
        QCOMPARE(count_of(bench, EventKind::access_ended), i);
    }
    QCOMPARE(count_of(bench, EventKind::mapped), 0);
    QVERIFY(bench.service->info(program.caller(), made->id)->audit_access);
}

void TestAuditedAccess::other_regions_keep_their_grants() {
    ServiceBench bench;
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096);
    QVERIFY(made && !made->audited);
    QVERIFY(program.take(*made));
    give_back(bench, program, *made);
    QVERIFY(program.take(*made));
    QCOMPARE(count_of(bench, EventKind::accessed), 0);
}

void TestAuditedAccess::a_grant_that_is_not_used_is_taken_back() {
    ServiceBench bench;
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096, audited());
    QVERIFY(made.has_value());
    const auto at = now().micros;
    bench.service->tick(at);
    QCOMPARE(count_of(bench, EventKind::access_ended), 0);
    bench.service->tick(at + 3 * kSecond);
    bench.service->tick(at + 6 * kSecond);
    QCOMPARE(count_of(bench, EventKind::access_ended), 1);
    QVERIFY(!program.take(*made));
}

void TestAuditedAccess::one_that_is_used_is_not() {
    ServiceBench bench;
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096, audited());
    QVERIFY(program.take(*made));
    const auto at = now().micros;
    for (int i = 0; i < 10; ++i) bench.service->tick(at + i * kSecond);
    QCOMPARE(count_of(bench, EventKind::access_ended), 0);
    give_back(bench, program, *made);
    QCOMPARE(count_of(bench, EventKind::access_ended), 1);
}

void TestAuditedAccess::the_end_of_a_program_ends_its_accesses() {
    ServiceBench bench;
    Program owner(bench.service, kUser);
    const auto made = owner.allocate(4096, audited());
    Program program(bench.service, kUser);
    const auto mapped = program.map(made->id);
    QVERIFY(program.take(*mapped));
    program.die();
    QVERIFY(bench.service->reap_if_dead(program.client()));
    QCOMPARE(count_of(bench, EventKind::access_ended), 1);
}

void TestAuditedAccess::nothing_is_accessed_that_cannot_be_recorded() {
    ServiceBench bench;
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096, audited());
    const auto open = program.allocate(4096);
    bench.state->can_record = [] {
        return fail(ErrorCode::audit_unavailable, "the disk is full", "free space");
    };
    const auto refused = program.map(made->id);
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, ErrorCode::audit_unavailable);
    const auto none = program.allocate(4096, audited());
    QVERIFY(!none);
    QCOMPARE(none.error().code, ErrorCode::audit_unavailable);
    QVERIFY(program.map(open->id).has_value());
    QVERIFY(program.allocate(4096).has_value());
}

void TestAuditedAccess::the_configuration_can_ask_for_it() {
    ServiceBench bench;
    bench.config.audit_access = true;
    bench.service->configure(bench.config);
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096);
    QVERIFY(made && made->audited);
}

void TestAuditedAccess::a_policy_can_ask_for_it_and_cease_to() {
    ServiceBench bench;
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096);
    QVERIFY(program.take(*made));
    give_back(bench, program, *made);
    const auto set = [&](const char* policy) {
        bool done = false;
        bench.service->set_policy(
            program.caller(), made->id, policy,
            [&](const Result<std::string>& answer) { done = answer.has_value(); });
        return done;
    };
    QVERIFY(set(R"({"permissions":{"owner":"rw"},"audit":true})"));
    QVERIFY(!program.take(*made));  // the grant it had is gone
    const auto again = program.map(made->id, AccessMode::read_write);
    QVERIFY(again && again->audited && program.take(*again));
    QCOMPARE(count_of(bench, EventKind::accessed), 1);
    give_back(bench, program, *again);
    QCOMPARE(count_of(bench, EventKind::access_ended), 1);
    QVERIFY(set(R"({"permissions":{"owner":"rw"}})"));
    const auto free = program.map(made->id, AccessMode::read_write);
    QVERIFY(free && !free->audited);
    QCOMPARE(count_of(bench, EventKind::accessed), 1);
}

void TestAuditedAccess::a_program_that_keeps_its_grant_loses_it() {
    ServiceBench bench;
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096, audited());
    QVERIFY(program.take(*made));
    QVERIFY(program.give(*made));  // as if the region were not audited
    const auto at = now().micros;
    for (int i = 1; i < 5; ++i) bench.service->tick(at + i * kSecond);
    QCOMPARE(count_of(bench, EventKind::access_ended), 1);
    QVERIFY(!program.take(*made));
}

void TestAuditedAccess::a_restart_forgets_neither_accesses_nor_their_end() {
    ServiceBench bench;
    Program program(bench.service, kUser);
    const auto made = program.allocate(4096, audited());
    QVERIFY(program.take(*made));
    bench.kill();
    QVERIFY(program.lease().release(made->slot, made->generation, false) ==
            layout::LeasePage::Release::last);
    bench.start();
    bench.service->evaluate_all();
    QCOMPARE(count_of(bench, EventKind::access_ended), 1);
    QVERIFY(program.map(made->id).has_value());
    QCOMPARE(count_of(bench, EventKind::accessed), 2);
}

QTEST_APPLESS_MAIN(TestAuditedAccess)
#include "tst_audited_access.moc"
