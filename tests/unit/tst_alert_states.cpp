// SPDX-License-Identifier: MIT
// From pending to resolved, second by second, with a clock of the test's own.
#include <QtTest>
#include <cmath>
#include <map>
#include <random>

#include "alerts/replay.h"
#include "alerts/rule_watch.h"

using namespace snakepit::shm;

namespace {

constexpr std::int64_t kStart = 1'700'000'000;  // seconds

AlertRule rule_of(const char* metric, double threshold) {
    AlertRule rule;
    rule.name = "r";
    rule.metric = metric;
    rule.threshold = threshold;
    return rule;
}

AlertRule event_rule(EventKind kind, double at_least, std::int64_t window_s) {
    AlertRule rule;
    rule.name = "e";
    rule.event = kind;
    rule.comparison = AlertComparison::at_least;
    rule.threshold = at_least;
    rule.window_ms = window_s * 1000;
    return rule;
}

// A watch with a clock; collects what it says as "F" (fired), "R" (resolved), "D" (dropped), "b"
// (began), "+" (returned).
class Bench {
  public:
    explicit Bench(const AlertRule& rule, FlapLimits flaps = {}) : watch_(rule, 15'000, flaps) {}

    std::string look(double value) {
        watch_.see(at(), value);
        return look();
    }
    std::string look() {
        changes.clear();
        watch_.look(at(), changes);
        std::string out;
        for (const auto& [turn, alert] : changes) out += "bDF+R"[static_cast<int>(turn)];
        ++second;
        return out;
    }
    void event(std::int64_t pid = 1, std::uint32_t uid = 7, std::uint32_t count = 0) {
        const SeenEvent event{at(), *watch_.rule().event, count, pid, uid, {}, "t"};
        if (watch_.wants(event)) watch_.see(event);
    }
    Timestamp at() const { return {second * 1'000'000}; }
    RuleWatch& watch() { return watch_; }

    std::int64_t second = kStart;
    std::vector<AlertChange> changes;

  private:
    RuleWatch watch_;
};

std::string run(Bench& bench, std::initializer_list<double> values) {
    std::string out;
    for (const auto value : values) {
        const auto said = bench.look(value);
        out += said.empty() ? "." : said;
    }
    return out;
}

}  // namespace

class AlertStates : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void what_does_not_hold_long_enough_is_heard_of_by_nobody();
    void a_separate_threshold_resolves_it();
    void it_is_resolved_when_it_was_calm_long_enough();
    void time_that_nobody_watched_does_not_count();
    void what_is_not_known_decides_nothing();
    void a_counter_counts_by_its_growth_and_not_when_it_starts_anew();
    void events_are_counted_in_their_window_for_each_user();
    void events_count_by_what_they_carry();
    void too_few_events_are_known_after_a_whole_window();
    void subjects_that_say_nothing_any_more_are_resolved();
    void the_highest_subject_speaks_for_all_without_a_group();
    void what_comes_and_goes_is_told_once_until_it_is_calm();
    void an_alert_goes_on_after_a_restart();
    void an_ended_rule_resolves_what_it_found();
    void random_histories_end_as_a_plain_reference_says();
    void a_backtest_finds_what_was_found_live();
    void a_backtest_of_events_finds_what_was_found_live();
};

void AlertStates::what_does_not_hold_long_enough_is_heard_of_by_nobody() {
    auto rule = rule_of("regions", 10);
    rule.for_ms = 3000;
    Bench bench(rule);
    QCOMPARE(run(bench, {5, 11, 12, 10, 11, 11, 11, 11, 11}), std::string(".b.Db..F."));
    QCOMPARE(bench.watch().evaluator().rule().name, std::string("r"));
    QCOMPARE(run(bench, {10}), std::string("R"));
    const auto& alert = bench.changes.front().alert;
    QCOMPARE(alert.fired_at.micros, (kStart + 7) * 1'000'000);
    QCOMPARE(alert.since.micros, (kStart + 4) * 1'000'000);
    QCOMPARE(alert.resolved_at.micros, (kStart + 9) * 1'000'000);
    QCOMPARE(alert.worst, 11.0);
}

void AlertStates::a_separate_threshold_resolves_it() {
    auto rule = rule_of("memory_ratio", 0.9);
    rule.resolve_threshold = 0.8;
    Bench bench(rule);
    QCOMPARE(run(bench, {0.9, 0.95, 0.85, 0.81, 0.8, 0.85, 0.91}), std::string(".bF..R.bF"));
    rule.comparison = AlertComparison::below;
    rule.threshold = 0.1;
    rule.resolve_threshold = 0.3;
    Bench low(rule);
    QCOMPARE(run(low, {0.1, 0.05, 0.2, 0.29, 0.3}), std::string(".bF..R"));
}

void AlertStates::it_is_resolved_when_it_was_calm_long_enough() {
    auto rule = rule_of("regions", 10);
    rule.resolve_for_ms = 2000;
    Bench bench(rule);
    QCOMPARE(run(bench, {11, 9, 9, 11, 9, 9, 9}), std::string("bF.....R"));
}

void AlertStates::time_that_nobody_watched_does_not_count() {
    auto rule = rule_of("regions", 10);
    rule.for_ms = 5000;
    rule.resolve_for_ms = 5000;
    Bench bench(rule);
    QCOMPARE(run(bench, {11, 11}), std::string("b."));
    bench.second += 100;  // suspended
    QCOMPARE(run(bench, {11, 11, 11, 11, 11, 11}), std::string(".....F"));
    QCOMPARE(run(bench, {1, 1}), std::string(".."));
    bench.second -= 50;  // the clock was set back
    QCOMPARE(run(bench, {1, 1, 1, 1, 1, 1}), std::string(".....R"));
}

void AlertStates::what_is_not_known_decides_nothing() {
    auto rule = rule_of("regions", 10);
    rule.for_ms = 2000;
    Bench bench(rule);
    QCOMPARE(run(bench, {11, 11, NAN, NAN, 11, 11}), std::string("b....F"));
    QCOMPARE(run(bench, {NAN, NAN, 9}), std::string("..R"));
}

void AlertStates::a_counter_counts_by_its_growth_and_not_when_it_starts_anew() {
    auto rule = rule_of("errors_total", 5);
    rule.window_ms = 3000;
    Bench bench(rule);
    QCOMPARE(run(bench, {1000, 1000, 1003, 1006}), std::string("...bF"));
    QCOMPARE(run(bench, {1006, 1006}), std::string(".R"));  // three of them are past
    Bench anew(rule);
    QCOMPARE(run(anew, {1000, 0, 3, 100}), std::string("...bF"));
    QCOMPARE(anew.changes.back().alert.value, 100.0);
}

void AlertStates::events_are_counted_in_their_window_for_each_user() {
    auto rule = event_rule(EventKind::refused, 2, 10);
    rule.group = AlertGroup::user;
    Bench bench(rule);
    bench.event(1, 4'000'000'001);
    bench.event(1, 4'000'000'002);
    QCOMPARE(bench.look(), std::string());
    bench.event(1, 4'000'000'002);
    QCOMPARE(bench.look(), std::string("bF"));
    QCOMPARE(bench.changes.back().alert.subject, std::string("4000000002"));
    QVERIFY(bench.changes.back().alert.evidence.find("2 in 10 s") == 0);
    std::string said;
    for (int i = 0; i < 12; ++i) said += bench.look();
    QCOMPARE(said, std::string("R"));
}

void AlertStates::events_count_by_what_they_carry() {
    auto rule = event_rule(EventKind::client_gone, 1, 10);
    rule.count_at_least = 1;
    rule.group = AlertGroup::process;
    Bench bench(rule);
    bench.event(5, 7, 0);
    QCOMPARE(bench.look(), std::string());
    bench.event(6, 7, 2);
    QCOMPARE(bench.look(), std::string("bF"));
    QCOMPARE(bench.changes.back().alert.subject, std::string("process 6"));
}

void AlertStates::too_few_events_are_known_after_a_whole_window() {
    auto rule = event_rule(EventKind::allocated, 2, 5);
    rule.comparison = AlertComparison::below;
    Bench bench(rule);
    std::string said;
    for (int i = 0; i < 5; ++i) said += bench.look();
    QCOMPARE(said, std::string());
    QCOMPARE(bench.look(), std::string("bF"));
    bench.event();
    bench.event();
    QCOMPARE(bench.look(), std::string("R"));
}

void AlertStates::subjects_that_say_nothing_any_more_are_resolved() {
    auto rule = rule_of("region_lock_wait_seconds", 30);
    rule.group = AlertGroup::region;
    RuleWatch watch(rule, 15'000);
    std::vector<AlertChange> changes;
    const std::vector<SubjectValue> both{{"region_lock_wait_seconds", "a", 31, "a waits"},
                                         {"region_lock_wait_seconds", "b", 40, "b waits"},
                                         {"user_memory_ratio", "c", 99, "not meant"}};
    watch.see(both);
    watch.look({kStart * 1'000'000}, changes);
    QCOMPARE(changes.size(), std::size_t{4});
    QCOMPARE(changes[1].alert.evidence, std::string("a waits"));
    changes.clear();
    watch.see(std::span(both).subspan(1));
    watch.look({(kStart + 1) * 1'000'000}, changes);
    QCOMPARE(changes.size(), std::size_t{1});
    QVERIFY(changes[0].turn == AlertTurn::resolved);
    QCOMPARE(changes[0].alert.subject, std::string("a"));
}

void AlertStates::the_highest_subject_speaks_for_all_without_a_group() {
    RuleWatch watch(rule_of("user_memory_ratio", 0.5), 15'000);
    std::vector<AlertChange> changes;
    const std::vector<SubjectValue> values{{"user_memory_ratio", "alice", 0.4, "x"},
                                           {"user_memory_ratio", "bob", 0.6, "60 of 100"}};
    watch.see(values);
    watch.look({kStart * 1'000'000}, changes);
    QCOMPARE(changes.size(), std::size_t{2});
    QCOMPARE(changes[1].alert.evidence, std::string("bob: 60 of 100"));
    QCOMPARE(changes[1].alert.value, 0.6);
}

void AlertStates::what_comes_and_goes_is_told_once_until_it_is_calm() {
    Bench bench(rule_of("regions", 10), {.firings = 2, .within_ms = 100'000, .calm_ms = 5000});
    QCOMPARE(run(bench, {11, 9, 11, 9, 11}), std::string("bFRbFRbF"));
    QVERIFY(bench.changes.back().alert.flapping);
    QCOMPARE(run(bench, {9, 11, 9, 11, 9, 9}), std::string(".+.+.."));
    QCOMPARE(bench.watch().rule().name, std::string("r"));
    QCOMPARE(run(bench, {9, 9, 9, 9}), std::string("...R"));
    QCOMPARE(bench.changes.back().alert.times_fired, 3U);
    bench.second += 200;  // nobody remembers
    QCOMPARE(run(bench, {11}), std::string("bF"));
    QVERIFY(!bench.changes.back().alert.flapping);
}

void AlertStates::an_alert_goes_on_after_a_restart() {
    auto rule = rule_of("regions", 10);
    rule.for_ms = 3000;
    Alert alert;
    alert.id = 9;
    alert.rule = "r";
    alert.state = AlertState::firing;
    alert.acknowledged_by = "alice";
    Bench held(rule);
    held.watch().evaluator().restore(alert);
    QCOMPARE(run(held, {11, 11}), std::string(".."));
    Bench mended(rule);
    mended.watch().evaluator().restore(alert);
    QCOMPARE(run(mended, {9}), std::string("R"));
    QCOMPARE(mended.changes.front().alert.id, std::uint64_t{9});
    QCOMPARE(mended.changes.front().alert.acknowledged_by, std::string("alice"));
}

void AlertStates::an_ended_rule_resolves_what_it_found() {
    Bench bench(rule_of("regions", 10));
    QCOMPARE(run(bench, {11}), std::string("bF"));
    bench.changes.clear();
    bench.watch().evaluator().end(bench.at(), bench.changes);
    QCOMPARE(bench.changes.size(), std::size_t{1});
    QVERIFY(bench.changes[0].turn == AlertTurn::resolved);
}

namespace {

// One subject, one value a second, no damping, as plainly as it can be said: for each second, looks
// back over the history.
std::vector<std::pair<int, int>> reference(const AlertRule& rule,
                                           const std::vector<double>& values) {
    const auto held = [&](int i) { return values[static_cast<std::size_t>(i)] > rule.threshold; };
    const auto calm = [&](int i) {
        return values[static_cast<std::size_t>(i)] <=
               rule.resolve_threshold.value_or(rule.threshold);
    };
    std::vector<std::pair<int, int>> out;  // fired, resolved (-1: not)
    const int hold = static_cast<int>(rule.for_ms / 1000);
    const int rest = static_cast<int>(rule.resolve_for_ms / 1000);
    int begin = 0;  // nothing before counts for the next turn
    for (int i = 0; i < static_cast<int>(values.size()); ++i) {
        const bool firing = !out.empty() && out.back().second < 0;
        const int need = firing ? rest : hold;
        if (i - need < begin) continue;
        bool all = true;
        for (int j = i - need; j <= i; ++j) all = all && (firing ? calm(j) : held(j));
        if (!all) continue;
        if (firing)
            out.back().second = i;
        else
            out.emplace_back(i, -1);
        begin = i + 1;
    }
    return out;
}

AlertRule random_rule(std::mt19937& random) {
    auto rule = rule_of("regions", static_cast<double>(random() % 10));
    if (random() % 2 == 0)
        rule.resolve_threshold = rule.threshold - static_cast<double>(random() % 4);
    if (rule.resolve_threshold && *rule.resolve_threshold < 0) rule.resolve_threshold = 0;
    rule.for_ms = static_cast<std::int64_t>(random() % 5) * 1000;
    rule.resolve_for_ms = static_cast<std::int64_t>(random() % 5) * 1000;
    return rule;
}

constexpr FlapLimits kNoDamping{.firings = 1'000'000, .within_ms = 1000, .calm_ms = 0};

}  // namespace

void AlertStates::random_histories_end_as_a_plain_reference_says() {
    for (unsigned seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        const auto rule = random_rule(random);
        std::vector<double> values;
        double value = 5;
        for (int i = 0; i < 200; ++i) {
            value = std::clamp(value + static_cast<double>(random() % 5) - 2, 0.0, 12.0);
            values.push_back(value);
        }
        Bench bench(rule, kNoDamping);
        std::vector<std::pair<int, int>> found;
        for (int i = 0; i < 200; ++i)
            for (const auto turn : bench.look(values[static_cast<std::size_t>(i)])) {
                if (turn == 'F') found.emplace_back(i, -1);
                if (turn == 'R') found.back().second = i;
            }
        const auto wanted = reference(rule, values);
        QVERIFY2(found == wanted, qPrintable(QString("seed %1").arg(seed)));
    }
}

void AlertStates::a_backtest_finds_what_was_found_live() {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        std::mt19937 random(seed);
        const auto rule = random_rule(random);
        std::vector<MetricPoint> points;
        Bench bench(rule);
        std::vector<BacktestFiring> live;
        double value = 5;
        for (int i = 0; i < 300; ++i) {
            value = std::clamp(value + static_cast<double>(random() % 7) - 3, 0.0, 12.0);
            points.push_back({{(bench.second - 1) * 1'000'000}, value, value, value, 1});
            (void)bench.look(value);
            for (const auto& [turn, alert] : bench.changes) {
                if (turn == AlertTurn::fired) live.push_back({alert.fired_at, {}, {}, 0});
                if (turn != AlertTurn::resolved) continue;
                live.back().resolved_at = alert.resolved_at;
                live.back().worst = alert.worst;
            }
        }
        const auto past = replay(rule, points);
        QCOMPARE(past.firings.size(), live.size());
        for (std::size_t i = 0; i < live.size(); ++i) {
            QCOMPARE(past.firings[i].fired_at.micros, live[i].fired_at.micros);
            QCOMPARE(past.firings[i].resolved_at.micros, live[i].resolved_at.micros);
            if (live[i].worst != 0) QCOMPARE(past.firings[i].worst, live[i].worst);
        }
        QCOMPARE(past.points, std::uint64_t{300});
    }
}

void AlertStates::a_backtest_of_events_finds_what_was_found_live() {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        std::mt19937 random(seed);
        auto rule = event_rule(EventKind::refused, 1 + static_cast<double>(random() % 3),
                               2 + static_cast<std::int64_t>(random() % 20));
        rule.group = AlertGroup::process;
        Bench bench(rule);
        std::vector<EventRow> rows;
        std::map<std::string, std::vector<std::int64_t>> live, past;
        for (int i = 0; i < 600; ++i) {
            const bool busy = (i / 60) % 3 == 0;
            for (auto n = busy ? random() % 3 : 0; n > 0; --n) {
                EventRow row;
                row.kind = EventKind::refused;
                row.time = {bench.at().micros - 1000};
                row.pid = 1 + static_cast<std::int64_t>(random() % 3);
                row.detail = "{}";
                rows.push_back(row);
                bench.watch().see(seen(row));
            }
            (void)bench.look();
            for (const auto& [turn, alert] : bench.changes)
                if (turn == AlertTurn::fired || turn == AlertTurn::resolved)
                    live[alert.subject].push_back(turn == AlertTurn::fired
                                                      ? alert.fired_at.micros
                                                      : alert.resolved_at.micros);
        }
        const auto test = replay(rule, rows, {kStart * 1'000'000}, {bench.at().micros - 1'000'000});
        for (const auto& firing : test.firings) {
            past[firing.subject].push_back(firing.fired_at.micros);
            if (firing.resolved_at.micros != 0)
                past[firing.subject].push_back(firing.resolved_at.micros);
        }
        QVERIFY2(live == past, qPrintable(QString("seed %1").arg(seed)));
        QVERIFY(!live.empty());
    }
}

QTEST_GUILESS_MAIN(AlertStates)
#include "tst_alert_states.moc"
