// SPDX-License-Identifier: MIT
// Names of regions: whose they are, from when to when, and after each kill.
#include <QtTest>

#include <fmt/format.h>

#include <map>
#include <random>

#include "base/region_name.h"
#include "layout/allocated_count.h"
#include "service_bench.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;
using layout::SlotState;

namespace {

RegionOptions named(const std::string& name) {
    RegionOptions options;
    options.name = name;
    return options;
}

constexpr Credentials kOther{200, 6000, 600};

}  // namespace

class RegionNames : public ServiceFixture {
    Q_OBJECT

  private Q_SLOTS:
    void what_a_name_may_be_data();
    void what_a_name_may_be();
    void a_name_leads_to_its_region();
    void a_name_belongs_to_one_region_of_a_user();
    void another_users_region_is_found_by_user_and_name_only();
    void what_a_user_may_not_see_does_not_exist_for_it();
    void a_withdrawn_region_has_no_name_any_more();
    void a_region_in_quarantine_keeps_its_name();
    void a_freed_region_leaves_its_name();
    void a_name_survives_a_kill();
    void a_name_is_free_after_a_kill_during_its_allocation();
    void a_kill_between_two_states_changes_no_name_data();
    void a_kill_between_two_states_changes_no_name();
    void whoever_asks_for_a_name_that_is_being_made_waits();
    void a_waiting_request_gets_the_name_when_the_first_fails();
    void a_waiting_request_ends_with_its_client();
    void the_same_request_again_is_the_same_region();
    void a_durable_region_has_its_name_after_a_reboot();
    void of_two_durable_regions_with_one_name_the_newer_keeps_it();
    void a_damaged_name_is_damage();
    void the_event_of_an_allocation_has_the_name();
    void open_allocates_and_then_opens();
    void open_waits_for_the_region_that_is_being_made();
    void open_again_after_a_restart_is_still_the_one_that_created_it();
    void open_with_something_else_says_both_values_data();
    void open_with_something_else_says_both_values();
    void what_the_manager_chooses_is_not_compared();
    void open_of_what_is_in_quarantine_or_read_only_is_refused();
    void random_operations_and_kills_agree_with_a_table();

  private:
    Result<RegionId> resolve(const std::string& word) {
        return service().resolve(user_->caller(), word);
    }
    void begin(Program& program, std::uint64_t request, const std::string& name, Result<Grant>& out,
               std::uint64_t size = 4096) {
        service().allocate(program.caller(), request, size, named(name),
                           [&out](Result<Grant> granted) { out = std::move(granted); });
    }
    Result<Grant> open(const Program& program, const RegionOptions& options,
                       std::uint64_t size = 4096, AccessMode access = AccessMode::read_write,
                       std::uint64_t request = 0) {
        Result<Grant> out = fail(ErrorCode::timeout, "no answer");
        service().allocate(program.caller(), request ? request : ++opens_, size, options,
                           [&](Result<Grant> granted) { out = std::move(granted); },
                           {.open = access});
        return out;
    }
    std::uint64_t opens_ = 5000;
    static Result<Grant> none() { return fail(ErrorCode::timeout, "no answer"); }
    void run_long_work() {
        while (!bench_->long_work.empty()) {
            const auto next = std::move(bench_->long_work.front());
            bench_->long_work.pop_front();
            next();
        }
    }
};

void RegionNames::what_a_name_may_be_data() {
    QTest::addColumn<QByteArray>("name");
    QTest::addColumn<bool>("allowed");
    QTest::newRow("letters") << QByteArray("model") << true;
    QTest::newRow("spaces and signs") << QByteArray("a b: c=\"d\" <e> %s \\") << true;
    QTest::newRow("other scripts") << QByteArray("данные 数据 é") << true;
    QTest::newRow("dots") << QByteArray("..") << true;
    QTest::newRow("255 bytes") << QByteArray(255, 'x') << true;
    QTest::newRow("256 bytes") << QByteArray(256, 'x') << false;
    QTest::newRow("empty") << QByteArray("") << false;
    QTest::newRow("an id") << QByteArray("shm_1700000000000000_0123456789abcdef") << false;
    QTest::newRow("like an id") << QByteArray("shm_x") << false;
    QTest::newRow("shm alone") << QByteArray("shm") << true;
    QTest::newRow("slash") << QByteArray("a/b") << false;
    QTest::newRow("minus in front") << QByteArray("-a") << false;
    QTest::newRow("minus inside") << QByteArray("a-") << true;
    QTest::newRow("tilde in front") << QByteArray("~a") << false;
    QTest::newRow("newline") << QByteArray("a\nb") << false;
    QTest::newRow("zero byte") << QByteArray("a\0b", 3) << false;
    QTest::newRow("delete") << QByteArray("a\x7F") << false;
    QTest::newRow("C1 control") << QByteArray(
                                       "a\xC2\x9B"
                                       "1m")
                                << false;
    QTest::newRow("not a control") << QByteArray("a\xC2\xA0") << true;
    QTest::newRow("not UTF-8") << QByteArray("a\xFF") << false;
    QTest::newRow("cut UTF-8") << QByteArray("a\xC3") << false;
    QTest::newRow("surrogate") << QByteArray("\xED\xA0\x80") << false;
}

void RegionNames::what_a_name_may_be() {
    QFETCH(QByteArray, name);
    QFETCH(bool, allowed);
    const auto text = name.toStdString();
    QCOMPARE(check_region_name(text).has_value(), allowed);
    if (!allowed) return;
    const auto grant = user_->allocate(4096, named(text));
    QVERIFY(grant.has_value());
    QCOMPARE(service().info(user_->caller(), grant->id)->name, text);
    QCOMPARE(*resolve(text), grant->id);
}

void RegionNames::a_name_leads_to_its_region() {
    const auto first = user_->allocate(4096, named("first"));
    const auto second = user_->allocate(4096, named("second"));
    QVERIFY(user_->allocate(4096).has_value());
    QCOMPARE(*resolve("first"), first->id);
    QCOMPARE(*resolve("second"), second->id);
    QCOMPARE(code(resolve("third")), ErrorCode::region_not_found);
    QCOMPARE(code(resolve("fir")), ErrorCode::region_not_found);
    QCOMPARE(code(resolve("First")), ErrorCode::region_not_found);
    QCOMPARE(code(resolve("")), ErrorCode::invalid_region_id);
    QCOMPARE(code(resolve("shm_1")), ErrorCode::invalid_region_id);
    QCOMPARE(code(resolve("/first")), ErrorCode::invalid_region_id);
}

void RegionNames::a_name_belongs_to_one_region_of_a_user() {
    const auto first = user_->allocate(4096, named("data"));
    Program second(bench_->service, {101, 5000, 500});
    const auto refused = second.allocate(4096, named("data"));
    QCOMPARE(code(refused), ErrorCode::name_in_use);
    QCOMPARE(refused.error().region_id, first->id.str());
    QVERIFY(refused.error().message.find(first->id.str()) != std::string::npos);
    QCOMPARE(state().stats.counters.allocation_failures, std::uint64_t{0});
    QCOMPARE(state().registry.used_count(), std::size_t{1});
    Program other(bench_->service, kOther);
    const auto others = other.allocate(4096, named("data"));
    QVERIFY(others.has_value());
    QCOMPARE(*resolve("data"), first->id);
    QCOMPARE(*service().resolve(other.caller(), "data"), others->id);
}

void RegionNames::another_users_region_is_found_by_user_and_name_only() {
    Program other(bench_->service, kOther);
    auto options = named("shared");
    options.permissions.other = Permission::read_only;
    options.exact_permissions = true;
    const auto grant = other.allocate(4096, options);
    QVERIFY(grant.has_value());
    QCOMPARE(code(resolve("shared")), ErrorCode::region_not_found);
    QCOMPARE(*resolve("6000/shared"), grant->id);
    QCOMPARE(code(resolve("6001/shared")), ErrorCode::region_not_found);
    QCOMPARE(code(resolve("no such user/shared")), ErrorCode::region_not_found);
    QCOMPARE(*service().resolve(other.caller(), "6000/shared"), grant->id);
}

void RegionNames::what_a_user_may_not_see_does_not_exist_for_it() {
    Program other(bench_->service, kOther);
    const auto hidden = other.allocate(4096, named("secret"));
    const auto refused = resolve("6000/secret"), missing = resolve("6000/missing");
    QCOMPARE(code(refused), ErrorCode::region_not_found);
    QCOMPARE(code(missing), ErrorCode::region_not_found);
    auto same = refused.error().message;
    same.replace(same.find("secret"), 6, "missing");
    QCOMPARE(same, missing.error().message);
    QVERIFY(refused.error().region_id.empty());
    QCOMPARE(bench_->last_event(hidden->id, EventKind::refused).pid, std::int64_t{100});
}

void RegionNames::a_withdrawn_region_has_no_name_any_more() {
    const auto first = user_->allocate(4096, named("data"));
    QVERIFY(user_->take(*first));
    QVERIFY(!*service().deallocate(user_->caller(), first->id, false));
    QCOMPARE(code(resolve("data")), ErrorCode::region_not_found);
    const auto second = user_->allocate(4096, named("data"));
    QVERIFY(second.has_value());
    QCOMPARE(*resolve("data"), second->id);
    bench_->restart();
    QCOMPARE(*resolve("data"), second->id);
    QCOMPARE(service().info(user_->caller(), first->id)->state, RegionState::closing);
    user_->give(*first);
    service().evaluate_all();
    QVERIFY(!bench_->has(first->id));
    QCOMPARE(*resolve("data"), second->id);
    QVERIFY(*service().deallocate(user_->caller(), second->id, false));
    QCOMPARE(code(resolve("data")), ErrorCode::region_not_found);
}

void RegionNames::a_region_in_quarantine_keeps_its_name() {
    const auto first = user_->allocate(4096, named("data"));
    QVERIFY(!*service().quarantine(user_->caller(), first->id));
    QCOMPARE(*resolve("data"), first->id);
    const auto refused = user_->allocate(4096, named("data"));
    QCOMPARE(code(refused), ErrorCode::name_in_use);
    QVERIFY(refused.error().sentence().find("quarantine") != std::string::npos);
    bench_->restart();
    QCOMPARE(code(user_->allocate(4096, named("data"))), ErrorCode::name_in_use);
    QVERIFY(service().restore(user_->caller(), first->id).has_value());
    QCOMPARE(*resolve("data"), first->id);
    QVERIFY(!*service().quarantine(user_->caller(), first->id));
    QVERIFY(*service().deallocate(user_->caller(), first->id, false));
    QVERIFY(user_->allocate(4096, named("data")).has_value());
}

void RegionNames::a_freed_region_leaves_its_name() {
    auto options = named("data");
    options.cleanup_policy = CleanupPolicy::reference_counted;
    const auto first = user_->allocate(4096, options);
    QVERIFY(user_->take(*first));
    user_->give(*first);
    service().tick(state().registry.time());
    service().tick(state().registry.time() + 60 * kSecond);
    QVERIFY(!bench_->has(first->id));
    QVERIFY(user_->allocate(4096, named("data")).has_value());
}

void RegionNames::a_name_survives_a_kill() {
    const std::string longest(255, 'n');
    const auto first = user_->allocate(4096, named("data"));
    const auto second = user_->allocate(4096, named(longest));
    auto options = named("with metadata");
    options.metadata = R"({"a":1})";
    const auto third = user_->allocate(4096, options);
    bench_->restart();
    QCOMPARE(*resolve("data"), first->id);
    QCOMPARE(*resolve(longest), second->id);
    QCOMPARE(*resolve("with metadata"), third->id);
    QCOMPARE(service().info(user_->caller(), third->id)->metadata, options.metadata);
    QCOMPARE(code(user_->allocate(4096, named(longest))), ErrorCode::name_in_use);
}

void RegionNames::a_name_is_free_after_a_kill_during_its_allocation() {
    bench_->later = true;
    Result<Grant> first = fail(ErrorCode::timeout, "no answer");
    begin(*user_, 7, "data", first, 32 << 20);
    QVERIFY(!bench_->long_work.empty());
    bench_->kill();
    bench_->long_work.clear();
    bench_->later = false;
    bench_->start();
    Program second(bench_->service, {101, 5000, 500});
    QVERIFY(second.allocate(4096, named("data")).has_value());
}

void RegionNames::a_kill_between_two_states_changes_no_name_data() {
    QTest::addColumn<int>("state");
    QTest::addColumn<bool>("kept");
    QTest::newRow("retiring") << static_cast<int>(SlotState::retiring) << true;
    QTest::newRow("freeing") << static_cast<int>(SlotState::freeing) << false;
}

void RegionNames::a_kill_between_two_states_changes_no_name() {
    QFETCH(int, state);
    QFETCH(bool, kept);
    const auto grant = user_->allocate(4096, named("data"));
    bench_->kill();
    bench_->set_state(grant->slot, static_cast<SlotState>(state));
    bench_->start();
    QCOMPARE(resolve("data").has_value(), kept);
    QCOMPARE(user_->allocate(4096, named("data")).has_value(), !kept);
}

void RegionNames::whoever_asks_for_a_name_that_is_being_made_waits() {
    bench_->later = true;
    Program second(bench_->service, {101, 5000, 500});
    auto one = none(), two = none();
    begin(*user_, 1, "data", one, 32 << 20);
    begin(second, 1, "data", two);
    QCOMPARE(code(one), ErrorCode::timeout);
    QCOMPARE(code(two), ErrorCode::timeout);
    QCOMPARE(code(resolve("data")), ErrorCode::region_not_found);
    run_long_work();
    QVERIFY(one.has_value());
    QCOMPARE(code(two), ErrorCode::name_in_use);
    QCOMPARE(*resolve("data"), one->id);
}

void RegionNames::a_waiting_request_gets_the_name_when_the_first_fails() {
    bench_->later = true;
    Program second(bench_->service, {101, 5000, 500});
    auto one = none(), two = none();
    begin(*user_, 1, "data", one, 32 << 20);
    begin(second, 1, "data", two);
    service().cancel_allocation(user_->caller(), 1);
    run_long_work();
    QVERIFY(!one.has_value());
    QVERIFY(two.has_value());
    QCOMPARE(*resolve("data"), two->id);
}

void RegionNames::a_waiting_request_ends_with_its_client() {
    bench_->later = true;
    Program second(bench_->service, {101, 5000, 500});
    Program third(bench_->service, {102, 5000, 500});
    auto one = none(), two = none(), three = none();
    begin(*user_, 1, "data", one, 32 << 20);
    begin(second, 1, "data", two);
    begin(third, 1, "data", three);
    service().connection_lost(second.client());
    service().cancel_allocation(third.caller(), 1);
    service().cancel_allocation(user_->caller(), 1);
    run_long_work();
    QCOMPARE(code(two), ErrorCode::timeout);
    QCOMPARE(code(three), ErrorCode::timeout);
    QCOMPARE(state().registry.used_count(), std::size_t{0});
}

void RegionNames::the_same_request_again_is_the_same_region() {
    const auto first = user_->allocate(4096, named("data"), 42);
    const auto again = user_->allocate(4096, named("data"), 42);
    QVERIFY(again.has_value());
    QCOMPARE(again->id, first->id);
    bench_->restart();
    QCOMPARE(user_->allocate(4096, named("data"), 42)->id, first->id);
}

void RegionNames::a_durable_region_has_its_name_after_a_reboot() {
    auto options = named("data");
    options.durable = true;
    const auto grant = user_->allocate(4096, options);
    user_->die();
    bench_->kill();
    bench_->reboot();
    bench_->start();
    Program later(bench_->service, {101, 5000, 500});
    QCOMPARE(*service().resolve(later.caller(), "data"), grant->id);
    QCOMPARE(code(later.allocate(4096, named("data"))), ErrorCode::name_in_use);
}

// The manager was killed after the first had been withdrawn and before its description was removed:
// made here by bringing the description back.
void RegionNames::of_two_durable_regions_with_one_name_the_newer_keeps_it() {
    auto options = named("data");
    options.durable = true;
    const auto first = user_->allocate(4096, options);
    const auto file =
        QString::fromStdString(bench_->paths().durable_dir() + "/" + first->id.str() + ".region");
    QVERIFY(QFile::copy(file, file + ".kept"));
    QVERIFY(user_->take(*first));
    QVERIFY(!*service().deallocate(user_->caller(), first->id, false));
    const auto second = user_->allocate(4096, options);
    QVERIFY(second.has_value());
    user_->die();
    bench_->kill();
    QVERIFY(QFile::rename(file + ".kept", file));
    bench_->reboot();
    bench_->start();
    Program later(bench_->service, {101, 5000, 500});
    QCOMPARE(*service().resolve(later.caller(), "data"), second->id);
    QVERIFY(bench_->has(first->id));
    QVERIFY(service().info(later.caller(), first->id)->name.empty());
}

void RegionNames::a_damaged_name_is_damage() {
    const auto grant = user_->allocate(4096, named("data"));
    bench_->kill();
    bench_->edit([&](auto view) { view.name(grant->slot).text[0] = 'x'; });
    bench_->start();
    QCOMPARE(service().info(user_->caller(), grant->id)->state, RegionState::damaged);
    QCOMPARE(code(resolve("xata")), ErrorCode::region_not_found);
    QCOMPARE(code(resolve("data")), ErrorCode::region_not_found);
    QVERIFY(user_->allocate(4096, named("data")).has_value());
}

void RegionNames::the_event_of_an_allocation_has_the_name() {
    const auto grant = user_->allocate(4096, named("data"));
    const auto event = bench_->last_event(grant->id, EventKind::allocated);
    QCOMPARE(layout::name_bytes_of(event.count), 4U);
    const auto made_as = layout::allocated_as(event.count);
    QVERIFY(made_as);
    QCOMPARE(made_as->cleanup_policy, service().info(user_->caller(), grant->id)->cleanup_policy);
    QCOMPARE(std::string(event.text, 14), std::string("program\0\0data\0", 14));
}

void RegionNames::open_allocates_and_then_opens() {
    Program second(bench_->service, {101, 5000, 500});
    const auto one = open(*user_, named("data"));
    QVERIFY(one.has_value() && one->created);
    const auto two = open(second, named("data"));
    QVERIFY(two.has_value() && !two->created);
    QCOMPARE(two->id, one->id);
    QVERIFY(second.take(*two));
    QVERIFY(!*service().deallocate(user_->caller(), one->id, false));
    const auto three = open(*user_, named("data"));
    QVERIFY(three.has_value() && three->created);
    QVERIFY(three->id != one->id);
    QCOMPARE(code(open(*user_, RegionOptions{})), ErrorCode{});  // without a name: a new one
}

void RegionNames::open_waits_for_the_region_that_is_being_made() {
    bench_->later = true;
    Program second(bench_->service, {101, 5000, 500});
    auto one = none(), two = none();
    begin(*user_, 1, "data", one, 32 << 20);
    service().allocate(second.caller(), 1, 32 << 20, named("data"),
                       [&](Result<Grant> granted) { two = std::move(granted); },
                       {.open = AccessMode::read_only});
    QCOMPARE(code(two), ErrorCode::timeout);
    run_long_work();
    QVERIFY(one.has_value() && two.has_value());
    QCOMPARE(two->id, one->id);
    QVERIFY(one->created && !two->created);
    QCOMPARE(two->access, AccessMode::read_only);
}

void RegionNames::open_again_after_a_restart_is_still_the_one_that_created_it() {
    const auto one = open(*user_, named("data"), 4096, AccessMode::read_write, 77);
    bench_->restart();
    const auto again = open(*user_, named("data"), 4096, AccessMode::read_write, 77);
    QVERIFY(again.has_value() && again->created);
    QCOMPARE(again->id, one->id);
}

void RegionNames::open_with_something_else_says_both_values_data() {
    QTest::addColumn<int>("which");
    QTest::addColumn<QString>("says");
    const char* names[] = {"size",      "policy",    "level",       "timeout", "durable", "owner",
                           "owner end", "placement", "permissions", "audit",   "metadata"};
    const char* says[] = {"its size is 4096 bytes, requested is 8192 bytes",
                          "its cleanup_policy is automatic, requested is manual",
                          "its access_mode is read_write, requested is read_only",
                          "its timeout is 60000 ms, requested is never",
                          "its durable is false, requested is true",
                          "its owned_by_user is false, requested is true",
                          "its owner_end is grace, requested is withdraw",
                          "its placement is pooled, requested is dedicated",
                          "its group permission is none, requested is read_only",
                          "its audit_access is false, requested is true",
                          "its metadata is {\"a\":1}, requested is {\"a\":2}"};
    for (int i = 0; i < 11; ++i) QTest::newRow(names[i]) << i << says[i];
}

void RegionNames::open_with_something_else_says_both_values() {
    QFETCH(int, which);
    QFETCH(QString, says);
    auto options = named("data");
    options.timeout_ms = 60'000;
    options.metadata = R"({"a":1})";
    const auto one = open(*user_, options);
    QVERIFY(one.has_value());
    switch (which) {
        case 1:
            options.cleanup_policy = CleanupPolicy::manual;
            break;
        case 2:
            options.access_mode = AccessMode::read_only;
            break;
        case 3:
            options.timeout_ms = 0;
            break;
        case 4:
            options.durable = true;
            break;
        case 5:
            options.owned_by_user = true;
            break;
        case 6:
            options.owner_end = OwnerEnd::withdraw;
            break;
        case 7:
            options.placement = Placement::dedicated;
            break;
        case 8:
            options.permissions.group = Permission::read_only;
            break;
        case 9:
            options.audit_access = true;
            break;
        case 10:
            options.metadata = R"({"a":2})";
            break;
        default:
            break;
    }
    const auto refused = open(*user_, options, which == 0 ? 8192 : 4096);
    QCOMPARE(code(refused), ErrorCode::name_in_use);
    const auto sentence = QString::fromStdString(refused.error().sentence());
    QVERIFY2(sentence.contains(says), qPrintable(sentence));
    QCOMPARE(refused.error().region_id, one->id.str());
}

void RegionNames::what_the_manager_chooses_is_not_compared() {
    auto options = named("data");
    options.timeout_ms = 60'000;
    options.placement = Placement::dedicated;
    options.owner_end = OwnerEnd::keep;
    options.metadata = R"({"a":1})";
    options.permissions.group = Permission::read_only;
    const auto one = open(*user_, options);
    QVERIFY(one.has_value());
    const auto two = open(*user_, named("data"));
    QVERIFY(two.has_value());
    QCOMPARE(two->id, one->id);
}

void RegionNames::open_of_what_is_in_quarantine_or_read_only_is_refused() {
    Program second(bench_->service, {101, 5000, 500});
    auto options = named("data");
    options.access_mode = AccessMode::read_only;
    const auto one = open(*user_, options);
    QVERIFY(one.has_value());
    QCOMPARE(code(open(second, options)), ErrorCode::read_only);
    QVERIFY(open(second, options, 4096, AccessMode::read_only).has_value());
    QVERIFY(!*service().quarantine(user_->caller(), one->id));
    QCOMPARE(code(open(second, options, 4096, AccessMode::read_only)), ErrorCode::name_in_use);
}

void RegionNames::random_operations_and_kills_agree_with_a_table() {
    std::mt19937 random(1);
    bench_->config.max_regions = bench_->config.max_regions_per_process = 10'000;
    bench_->reconfigure();
    const auto below = [&](std::uint32_t n) { return random() % n; };
    std::map<std::string, RegionId> expected;  // the region that has the name
    for (int step = 0; step < 4'000; ++step) {
        const auto name = fmt::format("name {}", below(8));
        const auto known = expected.find(name);
        switch (below(6)) {
            case 0:
            case 1: {
                const auto grant = user_->allocate(4096, named(name));
                if (known != expected.end()) {
                    QCOMPARE(code(grant), ErrorCode::name_in_use);
                    break;
                }
                QVERIFY(grant.has_value());
                if (below(2) == 0) QVERIFY(user_->take(*grant));
                expected.emplace(name, grant->id);
                break;
            }
            case 2:
                if (known == expected.end()) break;
                QVERIFY(service().deallocate(user_->caller(), known->second, false).has_value());
                expected.erase(known);
                break;
            case 3:
                if (known == expected.end()) break;
                if (const auto kept = service().quarantine(user_->caller(), known->second); !kept)
                    QCOMPARE(kept.error().code, ErrorCode::region_in_use);
                break;
            case 4:
                if (known == expected.end()) break;
                (void)service().restore(user_->caller(), known->second);
                break;
            default:
                if (below(4) == 0) bench_->restart();
        }
        for (int i = 0; i < 8; ++i) {
            const auto each = fmt::format("name {}", i);
            const auto found = resolve(each);
            const auto wanted = expected.find(each);
            QCOMPARE(found.has_value(), wanted != expected.end());
            if (found) QCOMPARE(*found, wanted->second);
        }
    }
}

QTEST_GUILESS_MAIN(RegionNames)
#include "moc_service_bench.cpp"
#include "tst_region_names.moc"
