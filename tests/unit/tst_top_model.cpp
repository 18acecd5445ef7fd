// SPDX-License-Identifier: MIT
#include <QtTest>

#include "top_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::cli;
using namespace snakepit::shm::test;
using Kind = KeyPress::Kind;

namespace {

// Slots of the regions on a page of `lines`, in order.
QList<int> slots_shown(Model& model, std::size_t lines = 100) {
    QList<int> out;
    for (const auto* row : model.regions().page(model.cursor(), lines, model.sorting()).rows)
        out += static_cast<int>(row->slot);
    return out;
}

int slot_chosen(Model& model, std::size_t lines) {
    const auto page = model.regions().page(model.cursor(), lines, model.sorting());
    return page.chosen ? static_cast<int>(page.rows[*page.chosen]->slot) : -1;
}

Model three() {
    Model model("test");
    model.take(snapshot({region(1, 100), region(2, 300), region(3, 200)}));
    return model;
}

}  // namespace

class TopModel : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void regions_come_and_go();
    void each_key_sorts_and_the_same_again_turns_round();
    void a_page_is_the_same_as_that_part_of_all_sorted();
    void nothing_is_chosen_until_one_moves();
    void the_chosen_region_stays_chosen_while_rows_move();
    void a_chosen_region_that_goes_leaves_its_place_to_the_next();
    void the_chosen_row_is_always_on_the_page();
    void a_filter_narrows_while_it_is_typed();
    void a_bad_filter_says_so_and_the_last_good_one_holds();
    void a_filter_on_age_follows_the_clock();
    void escape_clears_the_filter_first();
    void a_replaced_registry_is_another_start();
    void programs_are_counted_over_what_the_filter_leaves();
    void rates_are_of_one_manager_only();
    void a_silent_manager_is_noticed();
    void only_what_is_open_is_asked_for();
    void acknowledging_is_confirmed_first();
    void details_follow_their_region_until_it_is_gone();
    void pausing_and_the_interval();
};

void TopModel::regions_come_and_go() {
    auto model = three();
    QCOMPARE(slots_shown(model), (QList<int>{2, 3, 1}));
    model.take(snapshot({region(4, 250), region(1, 1000)}, {2}));
    QCOMPARE(slots_shown(model), (QList<int>{1, 4, 3}));
    QCOMPARE(model.regions().totals().regions, 3U);
    model.take(snapshot({}, {1, 3, 4, 9}));
    QCOMPARE(slots_shown(model), QList<int>{});
}

void TopModel::each_key_sorts_and_the_same_again_turns_round() {
    Model model("test");
    auto one = region(1, 100), two = region(2, 300), three = region(3, 200);
    hold(two, 7, "python");
    hold(one, 7, "python", 5);
    hold(one, 8, "ruby");
    three.info.last_accessed = {kNow.micros + 1};
    two.info.last_accessed = {kNow.micros - 1};
    model.take(snapshot({one, two, three}));
    QCOMPARE(slots_shown(model), (QList<int>{2, 3, 1}));  // size
    press(model, U's');
    QCOMPARE(slots_shown(model), (QList<int>{1, 3, 2}));
    press(model, U'r');
    QCOMPARE(slots_shown(model), (QList<int>{1, 2, 3}));
    press(model, U'a');  // the oldest first: the highest slot was made longest ago
    QCOMPARE(slots_shown(model), (QList<int>{3, 2, 1}));
    press(model, U'u');
    QCOMPARE(slots_shown(model), (QList<int>{3, 1, 2}));
    press(model, U'h');
    QCOMPARE(slots_shown(model), (QList<int>{1, 2, 3}));
    press(model, U'n');
    QCOMPARE(slots_shown(model), (QList<int>{1, 2, 3}));
    press(model, U'n');
    QCOMPARE(slots_shown(model), (QList<int>{3, 2, 1}));
}

void TopModel::a_page_is_the_same_as_that_part_of_all_sorted() {
    Model model("test");
    std::vector<RegionRow> rows;
    for (std::uint32_t i = 0; i < 500; ++i) rows.push_back(region(i, i * 7919 % 97));  // many ties
    model.take(snapshot(rows));
    for (const bool reversed : {false, true}) {
        const Sorting sorting{SortKey::size, reversed};
        const auto all = model.regions().all(sorting);
        Cursor cursor;
        cursor.move(Move::down);
        for (std::size_t first = 0; first < 500; first += 23) {
            const auto page = model.regions().page(cursor, 23, sorting);
            for (std::size_t i = 0; i < page.rows.size(); ++i)
                QCOMPARE(page.rows[i], all[page.first + i]);
            cursor.move(Move::page_down);
        }
        QCOMPARE(model.regions().page(cursor, 23, sorting).rows.back(), all.back());
    }
}

void TopModel::nothing_is_chosen_until_one_moves() {
    auto model = three();
    QCOMPARE(slot_chosen(model, 10), -1);
    press(model, Kind::down);
    QCOMPARE(slot_chosen(model, 10), 2);
    press(model, Kind::down);
    QCOMPARE(slot_chosen(model, 10), 3);
    press(model, Kind::escape);
    QCOMPARE(slot_chosen(model, 10), -1);
}

void TopModel::the_chosen_region_stays_chosen_while_rows_move() {
    auto model = three();
    press(model, Kind::end);
    QCOMPARE(slot_chosen(model, 10), 1);
    model.take(snapshot({region(1, 1000), region(5, 2000), region(6, 3000)}));
    QCOMPARE(slots_shown(model), (QList<int>{6, 5, 1, 2, 3}));
    QCOMPARE(slot_chosen(model, 10), 1);
    press(model, Kind::up);
    QCOMPARE(slot_chosen(model, 10), 5);
    press(model, U's');
    QCOMPARE(slot_chosen(model, 10), 5);
}

void TopModel::a_chosen_region_that_goes_leaves_its_place_to_the_next() {
    auto model = three();
    press(model, Kind::down);
    QCOMPARE(slot_chosen(model, 10), 2);
    press(model, Kind::down);
    QCOMPARE(slot_chosen(model, 10), 3);
    model.take(snapshot({}, {3}));
    QCOMPARE(slot_chosen(model, 10), 1);
    model.take(snapshot({}, {1}));
    QCOMPARE(slot_chosen(model, 10), 2);
    model.take(snapshot({}, {2}));
    QCOMPARE(slot_chosen(model, 10), -1);
    press(model, Kind::enter);  // nothing to open
    QVERIFY(model.overlay().kind == Overlay::Kind::none);
}

void TopModel::the_chosen_row_is_always_on_the_page() {
    Model model("test");
    std::vector<RegionRow> rows;
    for (std::uint32_t i = 1; i <= 50; ++i) rows.push_back(region(i, i));
    model.take(snapshot(rows));
    press(model, Kind::page_down);
    QCOMPARE(slot_chosen(model, 10), 49);  // a page was not known yet
    press(model, Kind::page_down);
    QCOMPARE(slot_chosen(model, 10), 39);
    press(model, Kind::end);
    QCOMPARE(slot_chosen(model, 10), 1);
    QCOMPARE(slots_shown(model, 10).back(), 1);
    press(model, Kind::page_up);
    QCOMPARE(slot_chosen(model, 10), 11);
    QCOMPARE(slot_chosen(model, 3), 11);  // the window shrank
    press(model, Kind::home);
    QCOMPARE(slot_chosen(model, 3), 50);
}

void TopModel::a_filter_narrows_while_it_is_typed() {
    auto model = three();
    press(model, U'/');
    type(model, U"size>150");
    QCOMPARE(slots_shown(model), (QList<int>{2, 3}));
    QCOMPARE(model.regions().totals().matching, 2U);
    QCOMPARE(model.regions().totals().regions, 3U);
    press(model, Kind::backspace);
    press(model, Kind::backspace);
    press(model, Kind::backspace);
    type(model, U"250");
    press(model, Kind::enter);
    QVERIFY(!model.typed_filter());
    QCOMPARE(slots_shown(model), (QList<int>{2}));
    model.take(snapshot({region(7, 900), region(8, 10)}));
    QCOMPARE(slots_shown(model), (QList<int>{7, 2}));
    press(model, U's');  // keys are keys again
    QCOMPARE(slots_shown(model), (QList<int>{2, 7}));
}

void TopModel::a_bad_filter_says_so_and_the_last_good_one_holds() {
    auto model = three();
    press(model, U'/');
    type(model, U"size>150quarks");
    QVERIFY(model.filter_error());
    QVERIFY(QString::fromStdString(model.filter_error()->sentence()).contains("quarks"));
    QCOMPARE(slots_shown(model), (QList<int>{2, 3}));
    press(model, Kind::enter);
    QVERIFY(model.typed_filter());  // stays open to be mended
    press(model, Kind::escape);
    QVERIFY(!model.typed_filter());
    QVERIFY(!model.filter_error());
    QCOMPARE(slots_shown(model).size(), 3);
}

void TopModel::a_filter_on_age_follows_the_clock() {
    auto model = three();
    press(model, U'/');
    type(model, U"age>10s");
    QCOMPARE(slots_shown(model), QList<int>{});
    model.take(snapshot({}, {}, {kNow.micros + 8 * kSecond}));
    QCOMPARE(slots_shown(model), (QList<int>{3}));
}

void TopModel::escape_clears_the_filter_first() {
    auto model = three();
    press(model, U'/');
    type(model, U"size>150");
    press(model, Kind::enter);
    press(model, Kind::down);
    QCOMPARE(slot_chosen(model, 10), 2);
    press(model, Kind::escape);
    QCOMPARE(slots_shown(model).size(), 3);
    QCOMPARE(slot_chosen(model, 10), 2);
}

void TopModel::a_replaced_registry_is_another_start() {
    auto model = three();
    auto fresh = snapshot({region(1, 5)});
    fresh.delta.reset = true;
    model.take(std::move(fresh));
    QCOMPARE(slots_shown(model), (QList<int>{1}));
}

void TopModel::programs_are_counted_over_what_the_filter_leaves() {
    Model model("test");
    auto one = region(1, 100), two = region(2, 300);
    hold(one, 7, "python", 2);
    hold(two, 7, "python");
    hold(two, 8, "ruby", 4);
    auto told = snapshot({one, two});
    told.clients = {client(7, "python", "w1"), client(8, "ruby"), client(9, "idle"),
                    client(7, "python")};
    model.take(std::move(told));
    auto rows = programs(model.snapshot().clients, model.regions());
    QCOMPARE(rows.size(), std::size_t{3});
    QCOMPARE(rows[0].references, 3U);
    QCOMPARE(rows[0].bytes, 400U);
    QCOMPARE(rows[0].regions, 2U);
    QCOMPARE(rows[2].bytes, 0U);
    press(model, U'/');
    type(model, U"size<200");
    rows = programs(model.snapshot().clients, model.regions());
    QCOMPARE(rows[0].bytes, 100U);
    QCOMPARE(rows[1].bytes, 0U);
}

void TopModel::rates_are_of_one_manager_only() {
    Figures figures;
    auto first = sample(1), second = sample(2), third = sample(3), fourth = sample(4);
    first.allocations = 1000;
    second.allocations = 1010;
    QVERIFY(!figures.rates());
    figures.take({first});
    QVERIFY(!figures.rates());
    figures.take({second});
    QCOMPARE(figures.rates()->allocations, 10.0);
    third.allocations = 3;  // another manager: its counters begin again
    fourth.allocations = 8;
    figures.take({third});
    QVERIFY(!figures.rates());
    figures.take({fourth});
    QCOMPARE(figures.rates()->allocations, 5.0);
}

void TopModel::a_silent_manager_is_noticed() {
    auto model = three();
    QVERIFY(!model.silent());
    auto late = snapshot({}, {}, {kNow.micros + 5 * kSecond});
    late.heartbeat = kNow;
    model.take(std::move(late));
    QVERIFY(model.silent());
    QCOMPARE(slots_shown(model).size(), 3);  // what it left stays
    model.take(snapshot({}, {}, {kNow.micros + 6 * kSecond}));
    QVERIFY(!model.silent());
}

void TopModel::only_what_is_open_is_asked_for() {
    auto model = three();
    slots_shown(model);
    QVERIFY(model.poll_request() == PollRequest{});
    press(model, Kind::enter);
    QVERIFY(model.poll_request().region == model.overlay().region.id);
    press(model, Kind::escape);
    press(model, U'4');
    QVERIFY(model.poll_request().locks);
    press(model, Kind::back_tab);
    QVERIFY(model.poll_request().alerts);
    QVERIFY(!model.poll_request().locks);
    press(model, U'1');
    QVERIFY(model.poll_request() == PollRequest{});
    auto firing = snapshot({});
    firing.samples = {sample(1)};
    firing.samples[0].alerts_firing = 1;
    model.take(std::move(firing));
    QVERIFY(model.poll_request().alerts);
}

void TopModel::acknowledging_is_confirmed_first() {
    auto model = three();
    PollResults told;
    told.alerts.at = kNow;
    told.alerts.value.resize(1);
    told.alerts.value[0].id = 5;
    told.alerts.value[0].title = "Memory is nearly full";
    told.alerts.value[0].state = Alert::State::firing;
    model.take(told);
    press(model, U'3');
    Surface surface(80, 24);
    draw(model, surface);
    press(model, U'k');
    QVERIFY(model.question());
    press(model, U'n');
    QVERIFY(!model.take_acknowledgement());
    press(model, U'k');
    press(model, U'y');
    QCOMPARE(model.take_acknowledgement().value_or(0), 5U);
    QVERIFY(!model.take_acknowledgement());

    told.acknowledged.at = kNow;
    told.acknowledged.error =
        make_error(ErrorCode::permission_denied, "only operators acknowledge", "ask one");
    model.take(told);
    QVERIFY(model.note().bad);
    QCOMPARE(model.note().text, told.acknowledged.error->sentence());
    press(model, U'x');
    model.take(told);  // the same news is no news
    QVERIFY(model.note().text.empty());

    told.alerts.value[0].acknowledged_by = "ann";
    model.take(told);
    press(model, U'k');
    QVERIFY(!model.question());
}

void TopModel::details_follow_their_region_until_it_is_gone() {
    auto model = three();
    slots_shown(model);
    press(model, Kind::enter);
    QCOMPARE(model.overlay().region.size, 300U);
    auto changed = region(2, 300);
    hold(changed, 7, "python");
    model.take(snapshot({changed}));
    QCOMPARE(model.overlay().region.reference_count, 1U);
    model.take(snapshot({}, {2}));
    QVERIFY(model.overlay().region_gone);
    QCOMPARE(model.overlay().region.size, 300U);
    press(model, U'q');  // goes back, does not leave
    QVERIFY(model.overlay().kind == Overlay::Kind::none);
    QVERIFY(!model.key({Kind::character, U'q'}));
}

void TopModel::pausing_and_the_interval() {
    Model model("test");
    QCOMPARE(model.interval().count(), 1000);
    press(model, U'-');
    press(model, U'-');
    press(model, U'-');
    QCOMPARE(model.interval().count(), 250);
    for (int i = 0; i < 9; ++i) press(model, U'+');
    QCOMPARE(model.interval().count(), 10'000);
    press(model, U'p');
    QVERIFY(model.paused());
    press(model, U'p');
    QVERIFY(!model.paused());
}

QTEST_APPLESS_MAIN(TopModel)
#include "tst_top_model.moc"
