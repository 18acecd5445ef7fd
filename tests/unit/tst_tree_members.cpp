// SPDX-License-Identifier: MIT
// Who is of a command's tree, from reports that come in any order. The process numbers are larger
// than any that the system gives out, so that nothing is found of them in /proc.
#include <QtTest>

#include "survey/linux/tree/members.h"

using namespace snakepit::shm::survey;

namespace {

constexpr std::int64_t kFirst = 5'000'001, kOther = 5'999'999;
constexpr auto kSecond = kFirst + 1, kThird = kFirst + 2, kFourth = kFirst + 3;

}  // namespace

class TreeMembers : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void strangers_are_no_members();
    void a_child_descends_from_its_parents_only();
    void a_child_that_is_reported_first_gets_its_parent_later();
    void of_unknown_origin_anything_may_be_the_ancestor();
    void a_number_that_is_given_out_again_is_another_member();
    void what_ended_a_moment_ago_still_has_its_number();
    void a_program_is_inherited_until_another_is_executed();
};

void TreeMembers::strangers_are_no_members() {
    Members members(kFirst, kOther);
    QVERIFY(members.at(kFirst) != 0);
    QCOMPARE(members.at(kSecond), 0u);
    QCOMPARE(members.at(kOther), 0u);
    QCOMPARE(members.find(1), 0u);
    QCOMPARE(members.find(0), 0u);
}

void TreeMembers::a_child_descends_from_its_parents_only() {
    Members members(kFirst, kOther);
    members.forked(kSecond, kFirst);
    members.forked(kThird, kSecond);
    members.forked(kFourth, kFirst);
    const auto at = [&](std::int64_t pid) { return members.at(pid); };
    QVERIFY(members.may_descend(at(kThird), at(kSecond)));
    QVERIFY(members.may_descend(at(kThird), at(kFirst)));
    QVERIFY(members.may_descend(at(kThird), at(kThird)));
    QVERIFY(!members.may_descend(at(kFourth), at(kSecond)));
    QVERIFY(!members.may_descend(at(kSecond), at(kThird)));
}

void TreeMembers::a_child_that_is_reported_first_gets_its_parent_later() {
    Members members(kFirst, kOther);
    members.forked(kFourth, kThird);
    members.forked(kThird, kFirst);
    members.forked(kSecond, kFirst);
    QVERIFY(members.may_descend(members.at(kFourth), members.at(kThird)));
    QVERIFY(members.may_descend(members.at(kFourth), members.at(kFirst)));
    QVERIFY(!members.may_descend(members.at(kFourth), members.at(kSecond)));
}

void TreeMembers::of_unknown_origin_anything_may_be_the_ancestor() {
    Members members(kFirst, kOther);
    members.forked(kSecond, kFirst);
    const auto unknown = members.reported_at(kThird);
    QVERIFY(members.may_descend(unknown, members.at(kSecond)));
    members.forked(kFourth, kThird);
    QVERIFY(members.may_descend(members.at(kFourth), members.at(kSecond)));
}

void TreeMembers::a_number_that_is_given_out_again_is_another_member() {
    Members members(kFirst, kOther);
    members.forked(kSecond, kFirst);
    const auto before = members.at(kSecond);
    members.exited(kSecond);
    members.forked(kSecond, kFirst);
    QVERIFY(members.at(kSecond) != before);
    QVERIFY(!members.may_descend(members.at(kSecond), before));
}

void TreeMembers::what_ended_a_moment_ago_still_has_its_number() {
    Members members(kFirst, kOther);
    members.forked(kSecond, kFirst);
    const auto number = members.at(kSecond);
    members.exited(kSecond);
    QCOMPARE(members.at(kSecond), number);
    QVERIFY(members.living().empty());
}

void TreeMembers::a_program_is_inherited_until_another_is_executed() {
    Members members(kFirst, kOther);
    members.named(kFirst, "make");
    members.forked(kSecond, kFirst);
    QCOMPARE(members.member(members.at(kSecond)).program, std::string("make"));
    members.named(kSecond, "cc1");
    QCOMPARE(members.member(members.at(kSecond)).program, std::string("cc1"));
    QCOMPARE(members.member(members.at(kFirst)).program, std::string("make"));
}

QTEST_GUILESS_MAIN(TreeMembers)
#include "tst_tree_members.moc"
