// SPDX-License-Identifier: MIT
// Random histories: what is found live is what a plain reference and a backtest find.
#include <QtTest>
#include <map>
#include <random>

#include "alert_harness.h"
#include "alerts/backtest.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

class AlertHistories : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void random_histories_end_as_a_plain_reference_says();
    void a_backtest_finds_what_was_found_live();
    void a_backtest_of_events_finds_what_was_found_live();
};

namespace {

// One subject, one value a second, no damping, as plainly as it can be said: for each second, looks
// back over the history.
std::vector<std::pair<int, int>> reference(const AlertRule& rule,
                                           const std::vector<double>& values) {
    const auto held = [&](int i) { return values[static_cast<std::size_t>(i)] > rule.threshold; };
    const auto inactive = [&](int i) {
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
        for (int j = i - need; j <= i; ++j) all = all && (firing ? inactive(j) : held(j));
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

constexpr FlapLimits kNoDamping{.firings = 1'000'000, .within_ms = 1000, .inactive_ms = 0};

}  // namespace

void AlertHistories::random_histories_end_as_a_plain_reference_says() {
    for (unsigned seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        const auto rule = random_rule(random);
        std::vector<double> values;
        double value = 5;
        for (int i = 0; i < 200; ++i) {
            value = std::clamp(value + static_cast<double>(random() % 5) - 2, 0.0, 12.0);
            values.push_back(value);
        }
        Harness harness(rule, kNoDamping);
        std::vector<std::pair<int, int>> found;
        for (int i = 0; i < 200; ++i)
            for (const auto turn : harness.evaluate(values[static_cast<std::size_t>(i)])) {
                if (turn == 'F') found.emplace_back(i, -1);
                if (turn == 'R') found.back().second = i;
            }
        const auto wanted = reference(rule, values);
        QVERIFY2(found == wanted, qPrintable(QString("seed %1").arg(seed)));
    }
}

void AlertHistories::a_backtest_finds_what_was_found_live() {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        std::mt19937 random(seed);
        const auto rule = random_rule(random);
        std::vector<MetricPoint> points;
        Harness harness(rule);
        std::vector<BacktestFiring> live;
        double value = 5;
        for (int i = 0; i < 300; ++i) {
            value = std::clamp(value + static_cast<double>(random() % 7) - 3, 0.0, 12.0);
            points.push_back({{(harness.second - 1) * 1'000'000}, value, value, value, 1});
            (void)harness.evaluate(value);
            for (const auto& [transition, alert] : harness.changes) {
                if (transition == AlertTransition::fired)
                    live.push_back({alert.fired_at, {}, {}, 0});
                if (transition != AlertTransition::resolved) continue;
                live.back().resolved_at = alert.resolved_at;
                live.back().worst = alert.worst;
            }
        }
        const auto past = backtest(rule, points);
        QCOMPARE(past.firings.size(), live.size());
        for (std::size_t i = 0; i < live.size(); ++i) {
            QCOMPARE(past.firings[i].fired_at.micros, live[i].fired_at.micros);
            QCOMPARE(past.firings[i].resolved_at.micros, live[i].resolved_at.micros);
            if (live[i].worst != 0) QCOMPARE(past.firings[i].worst, live[i].worst);
        }
        QCOMPARE(past.points, std::uint64_t{300});
    }
}

void AlertHistories::a_backtest_of_events_finds_what_was_found_live() {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        std::mt19937 random(seed);
        auto rule = event_rule(EventKind::refused, 1 + static_cast<double>(random() % 3),
                               2 + static_cast<std::int64_t>(random() % 20));
        rule.group = AlertGroup::process;
        Harness harness(rule);
        std::vector<EventRow> rows;
        std::map<std::string, std::vector<std::int64_t>> live, past;
        for (int i = 0; i < 600; ++i) {
            const bool busy = (i / 60) % 3 == 0;
            for (auto n = busy ? random() % 3 : 0; n > 0; --n) {
                EventRow row;
                row.kind = EventKind::refused;
                row.time = {harness.at().micros - 1000};
                row.pid = 1 + static_cast<std::int64_t>(random() % 3);
                row.detail = "{}";
                rows.push_back(row);
                harness.rule().observe(observed(row));
            }
            (void)harness.evaluate();
            for (const auto& [transition, alert] : harness.changes)
                if (transition == AlertTransition::fired || transition == AlertTransition::resolved)
                    live[alert.subject].push_back(transition == AlertTransition::fired
                                                      ? alert.fired_at.micros
                                                      : alert.resolved_at.micros);
        }
        const auto test =
            backtest(rule, rows, {kStart * 1'000'000}, {harness.at().micros - 1'000'000});
        for (const auto& firing : test.firings) {
            past[firing.subject].push_back(firing.fired_at.micros);
            if (firing.resolved_at.micros != 0)
                past[firing.subject].push_back(firing.resolved_at.micros);
        }
        QVERIFY2(live == past, qPrintable(QString("seed %1").arg(seed)));
        QVERIFY(!live.empty());
    }
}

QTEST_GUILESS_MAIN(AlertHistories)
#include "tst_alert_histories.moc"
