// SPDX-License-Identifier: MIT
// Policies as text, and what they come to: each condition, and each combination of them.
#include <unistd.h>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <map>

#include "security/policy_check.h"
#include "security/policy_text.h"
#include "security/subject_query.h"
#include "security/what_if.h"

using namespace snakepit::shm;

namespace {

constexpr std::uint32_t kOwner = 1000, kAlice = 1001, kBob = 1002, kService = 900;
constexpr std::uint32_t kOwnGroup = 2000, kSim = 2001, kStaff = 2002;
const Executable kReader{"/usr/bin/reader", {1, 10}};
const Executable kOther{"/usr/bin/other", {1, 11}};

class KnownNames final : public NameResolver {
  public:
    std::optional<std::uint32_t> user(const std::string& name) override {
        return of({{"owner", kOwner}, {"alice", kAlice}, {"bob", kBob}, {"1001", kAlice}}, name);
    }
    std::optional<std::uint32_t> group(const std::string& name) override {
        return of({{"own", kOwnGroup}, {"sim", kSim}, {"staff", kStaff}}, name);
    }
    std::optional<Executable> program(const std::string& path) override {
        if (path == kReader.path) return kReader;
        if (path == kOther.path) return kOther;
        return std::nullopt;
    }

  private:
    static std::optional<std::uint32_t> of(const std::map<std::string, std::uint32_t>& known,
                                           const std::string& name) {
        const auto found = known.find(name);
        return found == known.end() ? std::nullopt : std::optional(found->second);
    }
};

Subject alice() {
    return {{500, kAlice, kStaff}, {kSim}, 77, kReader};
}

std::string rule(const std::string& conditions, const std::string& rights) {
    return R"({"permissions":{"owner":"rw"},"rules":[{)" + conditions +
           (conditions.empty() ? "" : ",") + R"("allow":[)" + rights + "]}]}";
}

}  // namespace

class PolicyTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_policy_survives_being_written_and_read();
    void a_mistake_is_named_with_its_place_data();
    void a_mistake_is_named_with_its_place();
    void a_rule_holds_when_all_its_conditions_do_data();
    void a_rule_holds_when_all_its_conditions_do();
    void permissions_are_those_of_one_class_data();
    void permissions_are_those_of_one_class();
    void roles_manage_and_see_and_read_nothing();
    void an_unreadable_policy_is_open_to_nobody_but_who_manages();
    void memory_that_is_shared_is_its_owners_alone();
    void only_what_may_refuse_somebody_is_narrower();
    void a_quota_is_the_users_own_or_the_best_of_its_groups();
    void what_another_policy_would_change_is_told();
    void what_is_probably_not_meant_is_found();
    void somebody_described_is_no_more_than_was_said();
};

void PolicyTest::a_policy_survives_being_written_and_read() {
    const auto policy = parse_policy(
        R"({"permissions":{"owner":"rw","group":"ro","other":"none"},
            "rules":[{"user":"alice","group":"sim","program":"/usr/bin/reader","process":1234,
                      "process_start":99,"allow":["read","write"]},
                     {"user":1002,"allow":["manage"]}],
            "require_encryption":true,"audit":true})");
    QVERIFY2(policy, policy ? "" : policy.error().sentence().c_str());
    QCOMPARE(policy->permissions.group, Permission::read_only);
    QCOMPARE(policy->rules.size(), std::size_t{2});
    QCOMPARE(policy->rules[0].process_start, std::int64_t{99});
    QCOMPARE(policy->rules[1].user, std::string("1002"));
    QVERIFY(policy->require_encryption && policy->audit && !policy->plain());
    const auto again = parse_policy(to_json(*policy));
    QVERIFY(again);
    QVERIFY(*again == *policy);
    QVERIFY(parse_policy("{}")->plain());
}

void PolicyTest::a_mistake_is_named_with_its_place_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("message");
    const auto row = [](const char* name, const std::string& text, const char* message) {
        QTest::newRow(name) << QString::fromStdString(text) << message;
    };
    row("no JSON", "{\n  \"audit\": yes\n}", "p:2:");
    row("no object", "[]", "p: expected a JSON object");
    row("unknown member", R"({"permission":{}})", "'permission': unknown field");
    row("unknown class", R"({"permissions":{"users":"rw"}})", "'permissions.users': unknown field");
    row("no permission", R"({"permissions":{"group":"rx"}})",
        "'permissions.group': expected a permission");
    row("rules no list", R"({"rules":{}})", "'rules': expected a list");
    row("mistyped condition", rule(R"("usr":"alice")", R"("read")"),
        "'rules[0].usr': unknown field");
    row("empty user", rule(R"("user":"")", R"("read")"), "'rules[0].user': expected a name");
    row("fraction", rule(R"("user":1.5)", R"("read")"), "'rules[0].user': expected a name");
    row("nobody's number", rule(R"("user":4294967295)", R"("read")"), "rules[0].user");
    row("relative program", rule(R"("program":"reader")", R"("read")"), "is not an absolute path");
    row("process zero", rule(R"("process":0)", R"("read")"), "rules[0].process");
    row("process as text", rule(R"("process":"1")", R"("read")"), "rules[0].process");
    row("unknown right", rule(R"("user":"alice")", R"("execute")"),
        "'rules[0].allow': unknown right 'execute'");
    row("no right", rule(R"("user":"alice")", ""), "rules[0]: the rule allows nothing");
    row("flag as text", R"({"audit":"true"})", "'audit': expected true or false");
    row("too long", R"({"rules":")" + std::string(kMaxPolicyBytes, 'x') + "\"}", "bytes");
}

void PolicyTest::a_mistake_is_named_with_its_place() {
    QFETCH(QString, text);
    QFETCH(QString, message);
    const auto policy = parse_policy(text.toStdString(), "p");
    QVERIFY(!policy);
    QCOMPARE(policy.error().code, ErrorCode::policy_invalid);
    const auto said = QString::fromStdString(policy.error().message);
    QVERIFY2(said.contains(message), qPrintable(said));
    QVERIFY(!policy.error().remedy.empty());
}

// Every subset of the four conditions, and for each of them that it alone is not met.
void PolicyTest::a_rule_holds_when_all_its_conditions_do_data() {
    QTest::addColumn<int>("conditions");  // a bit for each that the rule names
    QTest::addColumn<int>("missed");      // the one that is not met; -1: none
    for (int conditions = 0; conditions < 16; ++conditions)
        for (int missed = -1; missed < 4; ++missed)
            if (missed < 0 || (conditions & 1 << missed) != 0)
                QTest::addRow("%d without %d", conditions, missed) << conditions << missed;
}

void PolicyTest::a_rule_holds_when_all_its_conditions_do() {
    QFETCH(int, conditions);
    QFETCH(int, missed);
    PolicyRule made;
    if (conditions & 1) made.user = missed == 0 ? "bob" : "alice";
    if (conditions & 2) made.group = missed == 1 ? "own" : "sim";
    if (conditions & 4) made.program = missed == 2 ? kOther.path : kReader.path;
    if (conditions & 8) {
        made.process = 500;
        made.process_start = missed == 3 ? 78 : 77;  // the number was given out again
    }
    KnownNames names;
    for (const auto right : {Right::read, Right::write, Right::manage}) {
        made.allow = {};
        made.allow.add(right);
        const std::vector<PolicyRule> rules{made};
        const RegionAccess region{kOwner, kOwnGroup, {}, &rules};
        const auto may = [&](Operation operation) {
            return decide(operation, alice(), Role::client, region, names).allowed;
        };
        const bool holds = missed < 0;
        QCOMPARE(may(Operation::read), holds && right != Right::manage);  // write comes with read
        QCOMPARE(may(Operation::write), holds && right == Right::write);
        QCOMPARE(may(Operation::manage), holds && right == Right::manage);
        QCOMPARE(may(Operation::look), holds);
        const auto verdict = decide(right == Right::write ? Operation::write : Operation::manage,
                                    alice(), Role::client, region, names);
        QCOMPARE(explain(verdict), verdict.allowed
                                       ? std::string("rules[0]")
                                       : std::string("no permission and no rule allows it"));
    }
    // What is not known meets no condition.
    const std::vector<PolicyRule> rules{made};
    auto vague = alice();
    vague.program.reset();
    vague.start_time = 0;
    const bool vague_holds = missed < 0 && (conditions & 12) == 0;
    QCOMPARE(decide(Operation::manage, vague, Role::client,
                    RegionAccess{kOwner, kOwnGroup, {}, &rules}, names)
                 .allowed,
             vague_holds);
}

void PolicyTest::permissions_are_those_of_one_class_data() {
    QTest::addColumn<int>("uid");
    QTest::addColumn<int>("gid");
    QTest::addColumn<int>("supplementary");
    QTest::addColumn<int>("of");  // class
    QTest::newRow("owner") << int{kOwner} << int{kSim} << int{kSim} << 0;
    QTest::newRow("owner in its group") << int{kOwner} << int{kOwnGroup} << int{kSim} << 0;
    QTest::newRow("group") << int{kAlice} << int{kOwnGroup} << int{kSim} << 1;
    QTest::newRow("supplementary group") << int{kAlice} << int{kSim} << int{kOwnGroup} << 1;
    QTest::newRow("other") << int{kAlice} << int{kSim} << int{kStaff} << 2;
    QTest::newRow("root") << 0 << 0 << 0 << 2;
}

void PolicyTest::permissions_are_those_of_one_class() {
    QFETCH(int, uid);
    QFETCH(int, gid);
    QFETCH(int, supplementary);
    QFETCH(int, of);
    KnownNames names;
    const Subject who{{1, static_cast<std::uint32_t>(uid), static_cast<std::uint32_t>(gid)},
                      {static_cast<std::uint32_t>(supplementary)},
                      0,
                      {}};
    const auto role = role_of(who, {}, kService, names);
    for (int right = 0; right < 3; ++right) {
        PermissionSet permissions{Permission::read_write, Permission::read_write,
                                  Permission::read_write};
        auto& mine = of == 0 ? permissions.owner : of == 1 ? permissions.group : permissions.other;
        mine = static_cast<Permission>(right);
        const RegionAccess region{kOwner, kOwnGroup, permissions};
        QCOMPARE(decide(Operation::read, who, role, region, names).allowed, right >= 1);
        QCOMPARE(decide(Operation::write, who, role, region, names).allowed, right >= 2);
    }
}

void PolicyTest::roles_manage_and_see_and_read_nothing() {
    KnownNames names;
    const Roles roles{{"bob"}, {"@sim"}};
    const RegionAccess closed{kOwner, kOwnGroup, {}};
    const auto may = [&](Operation operation, const Subject& who) {
        return decide(operation, who, role_of(who, roles, kService, names), closed, names).allowed;
    };
    const Subject bob{{1, kBob, kStaff}, {}, 0, {}};
    const Subject service{{1, kService, kService}, {}, 0, {}};
    const Subject stranger{{1, 4242, 4242}, {}, 0, {}};
    QCOMPARE(role_of(alice(), roles, kService, names), Role::operator_role);
    for (const auto& administrator : {bob, service}) {
        QCOMPARE(role_of(administrator, roles, kService, names), Role::administrator);
        for (const auto operation : {Operation::manage, Operation::look, Operation::tidy})
            QVERIFY(may(operation, administrator));
        QVERIFY(!may(Operation::read, administrator) && !may(Operation::write, administrator));
    }
    QVERIFY(may(Operation::look, alice()) && may(Operation::tidy, alice()));
    QVERIFY(!may(Operation::manage, alice()) && !may(Operation::read, alice()));
    for (const auto operation :
         {Operation::read, Operation::write, Operation::manage, Operation::look, Operation::tidy})
        QVERIFY(!may(operation, stranger));
}

void PolicyTest::an_unreadable_policy_is_open_to_nobody_but_who_manages() {
    KnownNames names;
    const Subject owner{{1, kOwner, kOwnGroup}, {}, 0, {}};
    RegionAccess region{kOwner,
                        kOwnGroup,
                        {Permission::read_write, Permission::read_write, Permission::read_write}};
    region.readable = false;
    const auto verdict = decide(Operation::read, alice(), Role::client, region, names);
    QVERIFY(!verdict.allowed);
    QCOMPARE(verdict.source, Source::policy_unreadable);
    QVERIFY(!decide(Operation::read, owner, Role::client, region, names).allowed);
    QVERIFY(decide(Operation::manage, owner, Role::client, region, names).allowed);
    QVERIFY(decide(Operation::manage, alice(), Role::administrator, region, names).allowed);
    QVERIFY(!decide(Operation::manage, alice(), Role::operator_role, region, names).allowed);
}

void PolicyTest::memory_that_is_shared_is_its_owners_alone() {
    KnownNames names;
    RegionAccess region{
        kOwner, kOwnGroup, {Permission::read_only, Permission::read_write, Permission::read_write}};
    region.shares_memory = true;
    const Subject owner{{1, kOwner, kOwnGroup}, {}, 0, {}};
    QCOMPARE(decide(Operation::read, alice(), Role::client, region, names).source,
             Source::shares_memory);
    QVERIFY(decide(Operation::read, owner, Role::client, region, names).allowed);
    QVERIFY(!decide(Operation::write, owner, Role::client, region, names).allowed);
}

void PolicyTest::only_what_may_refuse_somebody_is_narrower() {
    const auto plain = *parse_policy("{}");
    const auto readers = *parse_policy(rule(R"("group":"sim")", R"("read")"));
    const auto writers = *parse_policy(rule(R"("group":"sim")", R"("write")"));
    const auto alices = *parse_policy(rule(R"("group":"sim","user":"alice")", R"("read")"));
    const auto open = *parse_policy(R"({"permissions":{"group":"ro","other":"ro"}})");
    QVERIFY(allows_as_much(readers, plain) && allows_as_much(writers, readers));
    QVERIFY(allows_as_much(open, plain) && allows_as_much(plain, plain));
    QVERIFY(!allows_as_much(plain, readers) && !allows_as_much(readers, writers));
    QVERIFY(!allows_as_much(alices, readers) && !allows_as_much(plain, open));
}

void PolicyTest::a_quota_is_the_users_own_or_the_best_of_its_groups() {
    KnownNames names;
    Quotas quotas;
    QVERIFY(quota_of(alice(), quotas, names) == Quota{});
    quotas["default"] = {5, 500};
    QVERIFY(quota_of(alice(), quotas, names) == (Quota{5, 500}));
    quotas["@sim"] = {10, std::nullopt};
    quotas["@staff"] = {7, 900};
    quotas["@own"] = {1000, 1000};
    QVERIFY(quota_of(alice(), quotas, names) == (Quota{10, 900}));
    quotas["@staff"] = {0, 900};  // no limit
    QVERIFY(quota_of(alice(), quotas, names) == (Quota{0, 900}));
    quotas["alice"] = {1, std::nullopt};
    QVERIFY(quota_of(alice(), quotas, names) == (Quota{1, std::nullopt}));
}

void PolicyTest::what_another_policy_would_change_is_told() {
    KnownNames names;
    PolicyReport report;
    report.id = RegionId::generate();
    report.owner_uid = kOwner;
    report.owner_gid = kOwnGroup;
    report.service_uid = kService;
    report.policy = *parse_policy(rule(R"("user":"alice")", R"("write")"));
    report.clients.push_back({alice(), "reader", true, 2, AccessMode::read_write});
    report.clients.push_back({{{7, kBob, kStaff}, {}, 1, {}}, "bobs", false, 0, {}});
    report.clients.push_back({{{8, kOwner, kOwnGroup}, {}, 1, {}}, "own", true, 1, {}});
    report.clients.front().worker = "worker-7";
    const auto parsed = parse_policy_report(to_json(report));
    QVERIFY2(parsed, parsed ? "" : parsed.error().sentence().c_str());
    QVERIFY(parsed->clients[0].subject.program == kReader);
    QCOMPARE(parsed->clients[0].worker, "worker-7");

    const auto proposed = *parse_policy(rule(R"("group":"staff")", R"("read")"));
    const auto changes = what_changes(*parsed, proposed, names);
    QCOMPARE(changes.size(), std::size_t{2});
    QVERIFY(changes[0].loses() && !changes[0].gains() && changes[0].holds_more());
    QCOMPARE(changes[0].before.write.source, Source::rule);
    QVERIFY(changes[0].after.read.allowed && !changes[0].after.write.allowed);
    QVERIFY(changes[1].gains() && !changes[1].loses() && !changes[1].holds_more());
    QVERIFY(what_changes(*parsed, report.policy, names).empty());
}

void PolicyTest::what_is_probably_not_meant_is_found() {
    SystemNameResolver names;
    const auto found = [&](const std::string& text, const char* where) {
        const auto policy = parse_policy(text);
        if (!policy) qFatal("%s", policy.error().sentence().c_str());
        const auto findings = check_policy(*policy, names);
        return std::any_of(findings.begin(), findings.end(), [&](const PolicyFinding& finding) {
            return finding.where == where && !finding.remedy.empty();
        });
    };
    QVERIFY(found(R"({"permissions":{"other":"ro"}})", "permissions.other"));
    QVERIFY(found(rule("", R"("read")"), "rules[0]"));
    QVERIFY(found(rule(R"("user":"no-such-user-here")", R"("read")"), "rules[0].user"));
    QVERIFY(found(rule(R"("group":"no-such-group-here")", R"("read")"), "rules[0].group"));
    QVERIFY(found(rule(R"("program":"/no/such/program")", R"("read")"), "rules[0].program"));
    QVERIFY(found(rule(R"("program":"/bin/sh")", R"("read")"), "rules[0].program"));
    QVERIFY(found(rule(R"("process":1,"process_start":-1)", R"("read")"), "rules[0].process"));
    const auto for_nobody = [&](const std::string& conditions) {
        const auto findings = check_policy(*parse_policy(rule(conditions, R"("read")")), names);
        return std::any_of(findings.begin(), findings.end(),
                           [](const PolicyFinding& finding) { return finding.matches_nobody; });
    };
    for (const auto* conditions :
         {R"("user":"no-such-user-here")", R"("group":"no-such-group-here")",
          R"("program":"/no/such/program")", R"("process":1,"process_start":-1)"})
        QVERIFY2(for_nobody(conditions), conditions);
    QVERIFY(!for_nobody("") && !for_nobody(R"("program":"/bin/sh")"));
    QVERIFY(check_policy(*parse_policy(rule(R"("user":"root")", R"("read")")), names).empty());
    QVERIFY(check_policy(
                *parse_policy(rule(R"("user":"root","program":"/usr/bin/id")", R"("read")")), names)
                .empty());

    QTemporaryDir directory;
    const auto program = directory.filePath("program");
    QVERIFY(QFile::copy("/usr/bin/id", program));
    const auto named = rule("\"program\":\"" + program.toStdString() + "\"", R"("read")");
    QVERIFY(!found(named, "rules[0].program"));
    QVERIFY(QFile::setPermissions(program, QFile::permissions(program) | QFile::WriteOther));
    QVERIFY(found(named, "rules[0].program"));
}

void PolicyTest::somebody_described_is_no_more_than_was_said() {
    KnownNames names;
    const auto is = [&](const SubjectQuery& somebody) { return *subject_of(somebody, names); };
    QVERIFY(!SubjectQuery{}.named());
    const auto member = is({.group = "sim"});
    QVERIFY(member.in_group(kSim) && !member.in_group(kStaff));
    QCOMPARE(role_of(member, {}, kService, names), Role::client);  // and not root's
    QVERIFY(member.credentials.uid != kAlice && !member.program);
    QCOMPARE(is({.user = "alice"}).credentials.uid, kAlice);
    QVERIFY(is({.user = "alice", .program = kReader.path}).program == kReader);
    const auto self = is({.process = ::getpid()});
    QCOMPARE(self.credentials.uid, static_cast<std::uint32_t>(::geteuid()));
    QVERIFY(self.start_time > 0 && self.program);
    for (const auto& nobody :
         {SubjectQuery{.user = "carol"}, SubjectQuery{.group = "none"},
          SubjectQuery{.program = "/no/such/program"}, SubjectQuery{.process = -5}})
        QVERIFY(!subject_of(nobody, names));
}

QTEST_APPLESS_MAIN(PolicyTest)
#include "tst_policy.moc"
