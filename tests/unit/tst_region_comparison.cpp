// SPDX-License-Identifier: MIT
#include <QtTest>

#include <algorithm>

#include "events/region_comparison.h"

using namespace snakepit::shm;

namespace {

RegionRow region(std::uint64_t number, std::uint64_t size = 4096) {
    RegionRow row;
    row.info.id = {1'000 + number, number};
    row.info.size = size;
    row.info.owner_pid = 100;
    row.info.owner_uid = 1000;
    row.info.owner_process = "python3";
    return row;
}

RegionRow named(std::uint64_t number, const char* name, std::uint64_t size = 4096) {
    auto row = region(number, size);
    row.info.name = name;
    return row;
}

RegionRow held(std::uint64_t number, std::vector<RegionReference> holders) {
    auto row = region(number);
    row.info.holder_count = holders.size();
    for (const auto& holder : holders) row.info.reference_count += holder.count;
    row.info.references = std::move(holders);
    return row;
}

// "added 2, changed 1 state holders" for each difference, in order.
QStringList told(const RegionComparison& found) {
    QStringList out;
    for (const auto& one : found.differences) {
        auto text = QString("%1 %2")
                        .arg(QString::fromStdString(std::string(to_string(one.kind))))
                        .arg(one.region().id.random);
        for (const auto aspect : kRegionAspects)
            if ((one.aspects & aspect) != 0)
                text += ' ' + QString::fromStdString(std::string(to_string(aspect)));
        out += text;
    }
    return out;
}

QString totals(const RegionComparison& found, ComparedBy by) {
    QStringList out;
    for (const auto& total : found.by(by))
        out += QString("%1 %2->%3 +%4 -%5")
                   .arg(QString::fromStdString(total.name))
                   .arg(total.bytes_before)
                   .arg(total.bytes_after)
                   .arg(total.added)
                   .arg(total.gone);
    return out.join("; ");
}

}  // namespace

class TestRegionComparison : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void captures_that_are_equal_have_no_difference() {
        const std::vector<RegionRow> rows{region(1), named(2, "model")};
        const auto found = compare_regions(rows, rows);
        QVERIFY(found.differences.empty());
        QCOMPARE(found.same, 2U);
        QCOMPARE(found.total.growth(), 0);
        QVERIFY(compare_regions({}, {}).differences.empty());
    }

    void gone_added_and_changed_are_told_in_this_order_and_the_largest_first() {
        auto orphan = region(3);
        orphan.info.state = RegionState::orphan;
        const auto found = compare_regions({region(1, 10), region(2, 20), region(3), region(4)},
                                           {orphan, region(4), region(5, 50), region(6, 60)});
        QCOMPARE(told(found),
                 QStringList({"gone 2", "gone 1", "added 6", "added 5", "changed 3 state"}));
        QCOMPARE(found.same, 1U);
        QCOMPARE(found.total.gone, 2U);
        QCOMPARE(found.total.added, 2U);
        QCOMPARE(found.total.growth(), 110 - 30);
        QCOMPARE(found.differences.front().growth(), -20);
    }

    void each_aspect_is_told_alone_data() {
        QTest::addColumn<QString>("aspect");
        QTest::addColumn<int>("which");
        int which = 0;
        for (const auto* aspect : {"owner", "owner", "state", "state", "policy", "policy", "policy",
                                   "policy", "holders"}) {
            QTest::addRow("%s %d", aspect, which) << QString(aspect) << which;
            ++which;
        }
    }

    void each_aspect_is_told_alone() {
        QFETCH(QString, aspect);
        QFETCH(int, which);
        auto after = region(1);
        auto& info = after.info;
        if (which == 0) info.owner_pid = 101;
        if (which == 1) info.worker = "w2";
        if (which == 2) info.state = RegionState::closing;
        if (which == 3) info.inconsistent = true;
        if (which == 4) info.has_policy = true;
        if (which == 5) info.permissions.group = Permission::read_only;
        if (which == 6) info.cleanup_policy = CleanupPolicy::manual;
        if (which == 7) info.security_level = SecurityLevel::high;
        if (which == 8) info.reference_count = 1;
        QCOMPARE(told(compare_regions({region(1)}, {after})), QStringList("changed 1 " + aspect));
    }

    void other_holders_of_as_many_references_are_a_difference() {
        const auto before = held(1, {{.pid = 7, .process = "a", .count = 1}});
        const auto after = held(1, {{.pid = 8, .process = "a", .count = 1}});
        QCOMPARE(told(compare_regions({before}, {after})), QStringList("changed 1 holders"));
        // Where not all of them are named, that cannot be told.
        auto some = after;
        some.info.holder_count = 2;
        auto others = before;
        others.info.holder_count = 2;
        QVERIFY(compare_regions({others}, {some}).differences.empty());
    }

    void idle_mappings_are_no_holders() {
        auto before = held(1, {{.pid = 7, .process = "a", .count = 1}});
        auto after = before;
        after.info.references.push_back({.pid = 9, .process = "b", .count = 0});
        QVERIFY(compare_regions({before}, {after}).differences.empty());
    }

    void a_region_that_took_a_name_replaced_the_one_that_had_it() {
        auto other = named(2, "model", 8192);
        other.info.owner_pid = 200;
        const auto found = compare_regions({named(1, "model")}, {other});
        QCOMPARE(told(found), QStringList("replaced 2 size owner"));
        QCOMPARE(found.differences.front().growth(), 4096);
        QCOMPARE(found.total.gone, 1U);
        QCOMPARE(found.total.added, 1U);
        // Another user's is another name.
        other.info.owner_uid = 1001;
        QCOMPARE(told(compare_regions({named(1, "model")}, {other})),
                 QStringList({"gone 1", "added 2"}));
    }

    void a_name_that_is_still_its_regions_is_not_taken() {
        const auto found =
            compare_regions({named(1, "model")}, {named(1, "model"), named(2, "model")});
        QCOMPARE(told(found), QStringList("added 2"));
    }

    void what_one_capture_does_not_tell_is_no_difference() {
        auto before = region(1);
        before.unknown = kPartState | kPartReferences | kPartUse;
        auto after = region(1);
        after.info.state = RegionState::orphan;
        after.info.reference_count = 3;
        after.info.owner_pid = 101;
        const auto found = compare_regions({before}, {after});
        QCOMPARE(told(found), QStringList("changed 1 owner"));
        QCOMPARE(found.differences.front().unknown,
                 std::uint32_t{kAspectState | kAspectPolicy | kAspectHolders});
    }

    // Events tell that there is a policy, and not what it permits.
    void permissions_of_a_past_policy_are_not_compared() {
        auto before = region(1);
        before.info.has_policy = true;
        before.unknown = kPartUse | kPartRest;
        auto after = region(1);
        after.info.has_policy = true;
        after.info.permissions.other = Permission::read_only;
        QVERIFY(compare_regions({before}, {after}).differences.empty());
        before.unknown = 0;
        QCOMPARE(told(compare_regions({before}, {after})), QStringList("changed 1 policy"));
    }

    // The events of its allocation were removed: then it would seem to have grown from nothing.
    void what_does_not_change_one_side_tells_the_other() {
        auto before = region(1, 0);
        before.info.owner_process.clear();
        before.unknown = kAllParts;
        const auto found = compare_regions({before}, {region(1, 4096)});
        QVERIFY(found.differences.empty());
        QCOMPARE(found.total.growth(), 0);
        QCOMPARE(totals(found, ComparedBy::program), QString("python3 4096->4096 +0 -0"));
    }

    void clients_of_one_process_are_holders_each() {
        const auto one = held(1, {{.pid = 7, .process = "a", .count = 1},
                                  {.pid = 7, .process = "a", .count = 1},
                                  {.pid = 8, .process = "b", .count = 1}});
        const auto other = held(1, {{.pid = 7, .process = "a", .count = 1},
                                    {.pid = 8, .process = "b", .count = 1},
                                    {.pid = 8, .process = "b", .count = 1}});
        QCOMPARE(told(compare_regions({one}, {other})), QStringList("changed 1 holders"));
    }

    void sizes_that_nobody_has_do_not_overflow() {
        const auto found = compare_regions({region(1, 0)}, {region(2, ~std::uint64_t{0})});
        QCOMPARE(found.differences.size(), std::size_t{2});
        (void)found.total.growth();
    }

    void totals_are_of_programs_workers_and_users() {
        auto grown = region(2, 100);
        grown.info.owner_process = "trainer";
        grown.info.worker = "w1";
        auto more = region(3, 200);
        more.info.owner_process = "trainer";
        more.info.worker = "w1";
        more.info.owner_uid = 1001;
        const auto found = compare_regions({region(1, 50), grown}, {grown, more});
        QCOMPARE(totals(found, ComparedBy::program),
                 QString("trainer 100->300 +1 -0; python3 50->0 +0 -1"));
        QCOMPARE(totals(found, ComparedBy::worker), QString("w1 100->300 +1 -0"));
        QCOMPARE(totals(found, ComparedBy::user),
                 QString("1001 0->200 +1 -0; 1000 150->100 +0 -1"));
    }

    void an_owner_that_is_not_known_has_no_total() {
        auto row = region(1);
        row.unknown = kPartOwner;
        QVERIFY(compare_regions({}, {row}).by(ComparedBy::program).empty());
    }
};

QTEST_APPLESS_MAIN(TestRegionComparison)
#include "tst_region_comparison.moc"
