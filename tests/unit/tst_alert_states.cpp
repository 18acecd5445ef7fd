// SPDX-License-Identifier: MIT
// From pending to resolved, second by second, with a clock of the test's own.
#include <QtTest>
#include <cmath>

#include "alert_harness.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

class AlertStates : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void what_does_not_hold_long_enough_is_heard_of_by_nobody();
    void a_separate_threshold_resolves_it();
    void it_is_resolved_when_it_was_calm_long_enough();
    void time_that_nobody_watched_does_not_count();
    void what_is_not_known_decides_nothing();
    void a_counter_counts_by_its_growth_and_not_when_it_starts_anew();
    void a_clock_that_is_set_back_keeps_nothing_in_a_window();
    void a_clock_that_is_set_back_is_no_flapping();
    void a_step_that_is_known_changes_no_duration_data();
    void a_step_that_is_known_changes_no_duration();
    void events_are_counted_in_their_window_for_each_user();
    void events_count_by_what_they_carry();
    void too_few_events_are_known_after_a_whole_window();
    void subjects_that_say_nothing_any_more_are_resolved();
    void the_highest_subject_speaks_for_all_without_a_group();
    void what_comes_and_goes_is_told_once_until_it_is_calm();
    void an_alert_goes_on_after_a_restart();
    void an_ended_rule_resolves_what_it_found();
};

void AlertStates::what_does_not_hold_long_enough_is_heard_of_by_nobody() {
    auto rule = rule_of("regions", 10);
    rule.for_ms = 3000;
    Harness harness(rule);
    QCOMPARE(run(harness, {5, 11, 12, 10, 11, 11, 11, 11, 11}), std::string(".b.Db..F."));
    QCOMPARE(harness.rule().rule().name, std::string("r"));
    QCOMPARE(run(harness, {10}), std::string("R"));
    const auto& alert = harness.changes.front().alert;
    QCOMPARE(alert.fired_at.micros, (kStart + 7) * 1'000'000);
    QCOMPARE(alert.since.micros, (kStart + 4) * 1'000'000);
    QCOMPARE(alert.resolved_at.micros, (kStart + 9) * 1'000'000);
    QCOMPARE(alert.worst, 11.0);
}

void AlertStates::a_separate_threshold_resolves_it() {
    auto rule = rule_of("memory_ratio", 0.9);
    rule.resolve_threshold = 0.8;
    Harness harness(rule);
    QCOMPARE(run(harness, {0.9, 0.95, 0.85, 0.81, 0.8, 0.85, 0.91}), std::string(".bF..R.bF"));
    rule.comparison = AlertComparison::below;
    rule.threshold = 0.1;
    rule.resolve_threshold = 0.3;
    Harness low(rule);
    QCOMPARE(run(low, {0.1, 0.05, 0.2, 0.29, 0.3}), std::string(".bF..R"));
}

void AlertStates::it_is_resolved_when_it_was_calm_long_enough() {
    auto rule = rule_of("regions", 10);
    rule.resolve_for_ms = 2000;
    Harness harness(rule);
    QCOMPARE(run(harness, {11, 9, 9, 11, 9, 9, 9}), std::string("bF.....R"));
}

void AlertStates::time_that_nobody_watched_does_not_count() {
    auto rule = rule_of("regions", 10);
    rule.for_ms = 5000;
    rule.resolve_for_ms = 5000;
    Harness harness(rule);
    QCOMPARE(run(harness, {11, 11}), std::string("b."));
    harness.second += 100;  // suspended
    QCOMPARE(run(harness, {11, 11, 11, 11, 11, 11}), std::string(".....F"));
    QCOMPARE(run(harness, {1, 1}), std::string(".."));
    harness.second -= 50;  // the clock was set back
    QCOMPARE(run(harness, {1, 1, 1, 1, 1, 1}), std::string(".....R"));
}

void AlertStates::what_is_not_known_decides_nothing() {
    auto rule = rule_of("regions", 10);
    rule.for_ms = 2000;
    Harness harness(rule);
    QCOMPARE(run(harness, {11, 11, NAN, NAN, 11, 11}), std::string("b....F"));
    QCOMPARE(run(harness, {NAN, NAN, 9}), std::string("..R"));
}

void AlertStates::a_counter_counts_by_its_growth_and_not_when_it_starts_anew() {
    auto rule = rule_of("errors_total", 5);
    rule.window_ms = 3000;
    Harness harness(rule);
    QCOMPARE(run(harness, {1000, 1000, 1003, 1006}), std::string("...bF"));
    QCOMPARE(run(harness, {1006, 1006}), std::string(".R"));  // three of them are past
    Harness anew(rule);
    QCOMPARE(run(anew, {1000, 0, 3, 100}), std::string("...bF"));
    QCOMPARE(anew.changes.back().alert.value, 100.0);
}

void AlertStates::a_clock_that_is_set_back_keeps_nothing_in_a_window() {
    Harness harness(event_rule(EventKind::refused, 2, 10));
    harness.event();
    harness.event();
    QCOMPARE(harness.evaluate(), std::string("bF"));
    harness.second -= 3600;
    std::string said;
    for (int i = 0; i < 20; ++i) said += harness.evaluate();
    QCOMPARE(said, std::string("R"));

    auto rule = rule_of("errors_total", 5);
    rule.window_ms = 3000;
    Harness counting(rule);
    QCOMPARE(run(counting, {0, 1, 2}), std::string("..."));
    counting.second -= 3600;
    QCOMPARE(run(counting, {3, 4, 5, 6, 7, 8, 9}), std::string("......."));  // one a second
}

void AlertStates::a_step_that_is_known_changes_no_duration_data() {
    QTest::addColumn<qint64>("by");  // seconds
    QTest::newRow("ten seconds") << qint64{10};
    QTest::newRow("a day") << qint64{86'400};
    QTest::newRow("ten seconds back") << qint64{-10};
    QTest::newRow("a day back") << qint64{-86'400};
}

void AlertStates::a_step_that_is_known_changes_no_duration() {
    QFETCH(qint64, by);
    const auto step = [by](Harness& harness) {
        harness.second += by;
        harness.rule().follow_clock(by * 1'000'000);
    };
    auto rule = rule_of("references", 5);
    rule.for_ms = 5'000;
    rule.resolve_for_ms = 3'000;
    Harness pending(rule);
    QCOMPARE(run(pending, {9, 9}), std::string("b."));
    step(pending);
    QCOMPARE(run(pending, {9, 9, 9, 9}), std::string("...F"));
    QCOMPARE(run(pending, {1, 1}), std::string(".."));
    step(pending);
    QCOMPARE(run(pending, {1, 1}), std::string(".R"));

    Harness window(event_rule(EventKind::refused, 2, 60));
    window.event();
    QCOMPARE(window.evaluate(), std::string());
    step(window);
    window.event();
    QCOMPARE(window.evaluate(), std::string("bF"));
    window.second += 61;
    (void)window.evaluate();
    QCOMPARE(window.evaluate(), std::string());
}

void AlertStates::a_clock_that_is_set_back_is_no_flapping() {
    Harness harness(rule_of("regions", 5), {.firings = 1, .within_ms = 60'000});
    QCOMPARE(run(harness, {9, 1}), std::string("bFR"));
    harness.second -= 3600;
    run(harness, {1});
    harness.second += 61;  // as long as that firing counts
    QCOMPARE(run(harness, {1, 9}), std::string(".bF"));
    QVERIFY(!harness.changes.back().alert.flapping);
}

void AlertStates::events_are_counted_in_their_window_for_each_user() {
    auto rule = event_rule(EventKind::refused, 2, 10);
    rule.group = AlertGroup::user;
    Harness harness(rule);
    harness.event(1, 4'000'000'001);
    harness.event(1, 4'000'000'002);
    QCOMPARE(harness.evaluate(), std::string());
    harness.event(1, 4'000'000'002);
    QCOMPARE(harness.evaluate(), std::string("bF"));
    QCOMPARE(harness.changes.back().alert.subject, std::string("4000000002"));
    QVERIFY(harness.changes.back().alert.evidence.find("2 in 10 s") == 0);
    std::string said;
    for (int i = 0; i < 12; ++i) said += harness.evaluate();
    QCOMPARE(said, std::string("R"));
}

void AlertStates::events_count_by_what_they_carry() {
    auto rule = event_rule(EventKind::client_gone, 1, 10);
    rule.count_at_least = 1;
    rule.group = AlertGroup::process;
    Harness harness(rule);
    harness.event(5, 7, 0);
    QCOMPARE(harness.evaluate(), std::string());
    harness.event(6, 7, 2);
    QCOMPARE(harness.evaluate(), std::string("bF"));
    QCOMPARE(harness.changes.back().alert.subject, std::string("process 6"));
}

void AlertStates::too_few_events_are_known_after_a_whole_window() {
    auto rule = event_rule(EventKind::allocated, 2, 5);
    rule.comparison = AlertComparison::below;
    Harness harness(rule);
    std::string said;
    for (int i = 0; i < 5; ++i) said += harness.evaluate();
    QCOMPARE(said, std::string());
    QCOMPARE(harness.evaluate(), std::string("bF"));
    harness.event();
    harness.event();
    QCOMPARE(harness.evaluate(), std::string("R"));
}

void AlertStates::subjects_that_say_nothing_any_more_are_resolved() {
    auto rule = rule_of("region_lock_wait_seconds", 30);
    rule.group = AlertGroup::region;
    AlertingRule watched(rule);
    std::vector<AlertChange> changes;
    const std::vector<SubjectValue> both{{"region_lock_wait_seconds", "a", 31, "a waits"},
                                         {"region_lock_wait_seconds", "b", 40, "b waits"},
                                         {"user_memory_ratio", "c", 99, "not meant"}};
    watched.observe(both);
    watched.evaluate({kStart * 1'000'000}, changes);
    QCOMPARE(changes.size(), std::size_t{4});
    QCOMPARE(changes[1].alert.evidence, std::string("a waits"));
    changes.clear();
    watched.observe(std::span(both).subspan(1));
    watched.evaluate({(kStart + 1) * 1'000'000}, changes);
    QCOMPARE(changes.size(), std::size_t{1});
    QVERIFY(changes[0].transition == AlertTransition::resolved);
    QCOMPARE(changes[0].alert.subject, std::string("a"));
}

void AlertStates::the_highest_subject_speaks_for_all_without_a_group() {
    AlertingRule watched(rule_of("user_memory_ratio", 0.5));
    std::vector<AlertChange> changes;
    const std::vector<SubjectValue> values{{"user_memory_ratio", "alice", 0.4, "x"},
                                           {"user_memory_ratio", "bob", 0.6, "60 of 100"}};
    watched.observe(values);
    watched.evaluate({kStart * 1'000'000}, changes);
    QCOMPARE(changes.size(), std::size_t{2});
    QCOMPARE(changes[1].alert.evidence, std::string("bob: 60 of 100"));
    QCOMPARE(changes[1].alert.value, 0.6);
}

void AlertStates::what_comes_and_goes_is_told_once_until_it_is_calm() {
    Harness harness(rule_of("regions", 10),
                    {.firings = 2, .within_ms = 100'000, .inactive_ms = 5000});
    QCOMPARE(run(harness, {11, 9, 11, 9, 11}), std::string("bFRbFRbF"));
    QVERIFY(harness.changes.back().alert.flapping);
    QCOMPARE(run(harness, {9, 11, 9, 11, 9, 9}), std::string(".+.+.."));
    QCOMPARE(harness.rule().rule().name, std::string("r"));
    QCOMPARE(run(harness, {9, 9, 9, 9}), std::string("...R"));
    QCOMPARE(harness.changes.back().alert.times_fired, 3U);
    harness.second += 200;  // nobody remembers
    QCOMPARE(run(harness, {11}), std::string("bF"));
    QVERIFY(!harness.changes.back().alert.flapping);
}

void AlertStates::an_alert_goes_on_after_a_restart() {
    auto rule = rule_of("regions", 10);
    rule.for_ms = 3000;
    Alert alert;
    alert.id = 9;
    alert.rule = "r";
    alert.state = Alert::State::firing;
    alert.acknowledged_by = "alice";
    Harness held(rule);
    held.rule().restore(alert);
    QCOMPARE(run(held, {11, 11}), std::string(".."));
    Harness mended(rule);
    mended.rule().restore(alert);
    QCOMPARE(run(mended, {9}), std::string("R"));
    QCOMPARE(mended.changes.front().alert.id, std::uint64_t{9});
    QCOMPARE(mended.changes.front().alert.acknowledged_by, std::string("alice"));
}

void AlertStates::an_ended_rule_resolves_what_it_found() {
    Harness harness(rule_of("regions", 10));
    QCOMPARE(run(harness, {11}), std::string("bF"));
    harness.changes.clear();
    harness.rule().end(harness.at(), harness.changes);
    QCOMPARE(harness.changes.size(), std::size_t{1});
    QVERIFY(harness.changes[0].transition == AlertTransition::resolved);
}

QTEST_GUILESS_MAIN(AlertStates)
#include "tst_alert_states.moc"
