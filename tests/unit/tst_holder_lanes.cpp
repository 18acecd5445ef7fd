// SPDX-License-Identifier: MIT
#include <QtTest>

#include "events/holder_lanes.h"

using namespace snakepit::shm;

namespace {

class Rows {
  public:
    Rows& add(EventKind kind, std::int64_t second, const char* detail = "{}") {
        EventRow row;
        row.seq = static_cast<std::int64_t>(rows.size()) + 1;
        row.kind = kind;
        row.time = {second * 1'000'000};
        row.detail = detail;
        rows.push_back(std::move(row));
        return *this;
    }
    Rows& held(std::int64_t second, const char* holders) {
        return add(EventKind::references, second, holders);
    }

    std::vector<EventRow> rows;
};

// "7/1 p: 10-20 25-" for each lane; "?" where it is not sure to its end.
QStringList told(const HolderLanes& lanes) {
    QStringList out;
    for (const auto& lane : lanes.lanes) {
        auto text = QString("%1/%2 %3:")
                        .arg(lane.pid)
                        .arg(lane.started.micros / 1'000'000 % 10)
                        .arg(QString::fromStdString(lane.process));
        for (const auto& hold : lane.holds)
            text += QString(" %1%2-%3")
                        .arg(hold.unsure_from.micros != 0 ? "?" : "")
                        .arg(hold.from.micros / 1'000'000)
                        .arg(hold.to.micros == 0 ? QString()
                                                 : QString::number(hold.to.micros / 1'000'000));
        out += text;
    }
    return out;
}

constexpr auto kNobody = R"({"count":0,"holders":[]})";
constexpr auto kOne =
    R"({"count":1,"holders":[{"pid":7,"process":"p","started":"2026-11-22T10:00:01.000000Z","count":1,"read_only":true}]})";
constexpr auto kBoth =
    R"({"count":3,"holders":[{"pid":7,"process":"p","started":"2026-11-22T10:00:01.000000Z","count":2,"read_only":false},)"
    R"({"pid":8,"process":"q","worker":"w1","started":"2026-11-22T10:00:02.500000Z","count":1,"read_only":true}]})";
constexpr auto kOther =
    R"({"count":1,"holders":[{"pid":8,"process":"q","worker":"w1","started":"2026-11-22T10:00:02.500000Z","count":1,"read_only":true}]})";

}  // namespace

class TestHolderLanes : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void nothing_recorded_is_nobody() {
        const auto lanes = holder_lanes({});
        QVERIFY(lanes.lanes.empty());
        QCOMPARE(lanes.first.micros, 0);
    }

    void a_hold_lasts_until_an_event_without_it() {
        Rows r;
        r.add(EventKind::allocated, 5).held(10, kOne).held(20, kBoth).held(30, kOther);
        const auto lanes = holder_lanes(r.rows);
        QCOMPARE(told(lanes), QStringList({"8/2 q: 20-", "7/1 p: 10-30"}));
        QCOMPARE(lanes.first.micros, 5'000'000);
        const auto& gone = lanes.lanes[1];
        QCOMPARE(gone.holds.front().most, 2U);
        QVERIFY(!gone.holds.front().read_only);
        QVERIFY(lanes.lanes[0].holds.front().read_only);
        QCOMPARE(lanes.lanes[0].worker, std::string("w1"));
    }

    void who_holds_again_has_one_lane_and_two_holds() {
        Rows r;
        r.held(10, kOne).held(20, kNobody).held(25, kOne);
        QCOMPARE(told(holder_lanes(r.rows)), QStringList("7/1 p: 10-20 25-"));
    }

    void the_longest_hold_comes_first() {
        Rows r;
        r.held(10, kOne).held(20, kBoth);
        QCOMPARE(told(holder_lanes(r.rows)), QStringList({"7/1 p: 10-", "8/2 q: 20-"}));
    }

    void the_end_of_the_region_ends_all_holds() {
        Rows r;
        r.held(10, kBoth).add(EventKind::freed, 40);
        const auto lanes = holder_lanes(r.rows);
        QCOMPARE(told(lanes), QStringList({"7/1 p: 10-40", "8/2 q: 10-40"}));
        QCOMPARE(lanes.freed.micros, 40'000'000);
    }

    void a_number_that_is_used_again_is_another_process() {
        Rows r;
        r.held(10, kOne).held(
            20,
            R"({"count":1,"holders":[{"pid":7,"process":"z","started":"2026-11-22T10:00:09.000000Z","count":1}]})");
        QCOMPARE(told(holder_lanes(r.rows)), QStringList({"7/9 z: 20-", "7/1 p: 10-20"}));
    }

    void who_had_no_room_in_an_event_may_still_hold() {
        constexpr auto crowded =
            R"({"count":5,"holders":[{"pid":8,"process":"q","started":"2026-11-22T10:00:02.500000Z","count":1}],"more":4})";
        Rows r;
        r.held(10, kOne).held(20, crowded);
        auto lanes = holder_lanes(r.rows);
        QCOMPARE(told(lanes), QStringList({"7/1 p: ?10-", "8/2 q: 20-"}));
        QCOMPARE(lanes.unnamed, 4U);
        r.held(30, kBoth);  // it did
        QCOMPARE(told(holder_lanes(r.rows)), QStringList({"7/1 p: 10-", "8/2 q: 20-"}));
        r.held(40, crowded).held(50, kOther);  // not any more
        QCOMPARE(told(holder_lanes(r.rows)), QStringList({"8/2 q: 20-", "7/1 p: ?10-50"}));
    }

    void start_times_that_differ_a_little_are_of_one_process() {
        Rows r;
        r.held(10, kOne).held(
            20,
            R"({"count":1,"holders":[{"pid":7,"process":"p","started":"2026-11-22T10:00:02.900000Z","count":1}]})");
        QCOMPARE(told(holder_lanes(r.rows)), QStringList("7/1 p: 10-"));
    }

    void clients_of_one_process_are_added_up() {
        Rows r;
        r.held(
            10,
            R"({"count":3,"holders":[{"pid":7,"process":"p","started":"2026-11-22T10:00:01.000000Z","count":1},)"
            R"({"pid":7,"process":"p","started":"2026-11-22T10:00:01.000000Z","count":2}]})");
        const auto lanes = holder_lanes(r.rows);
        QCOMPARE(told(lanes), QStringList("7/1 p: 10-"));
        QCOMPARE(lanes.lanes.front().holds.front().most, 3U);
    }

    void another_registry_ends_the_holds_of_the_one_before() {
        Rows r;
        r.held(10, kOne).add(EventKind::durable_restored, 20);
        r.rows.back().epoch = 9;
        QCOMPARE(told(holder_lanes(r.rows)), QStringList("7/1 p: 10-20"));
    }

    void a_history_that_was_cut_does_not_know_the_beginning() {
        Rows cut, whole;
        cut.held(10, kOne).held(20, kBoth);
        const auto lanes = holder_lanes(cut.rows).lanes;
        QVERIFY(lanes[0].holds.front().began_before && !lanes[1].holds.front().began_before);
        whole.add(EventKind::allocated, 5).held(10, kOne);
        QVERIFY(!holder_lanes(whole.rows).lanes[0].holds.front().began_before);
    }

    void details_that_are_none_are_passed_over() {
        Rows r;
        r.held(10, "not JSON").held(11, "[]").held(12, R"({"holders":[1,"x",{"count":-1}]})");
        QVERIFY(holder_lanes(r.rows).lanes.empty());
    }
};

QTEST_APPLESS_MAIN(TestHolderLanes)
#include "tst_holder_lanes.moc"
