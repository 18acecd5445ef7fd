// SPDX-License-Identifier: GPL-3.0-or-later
// What alerts, timings and the host's segments become in tables, without a window.
#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>
#include <random>

#include "synthetic_monitoring.h"
#include "ui/models/alert_model.h"
#include "ui/models/alert_rule_model.h"
#include "ui/models/alert_text.h"
#include "ui/models/format.h"
#include "ui/models/host_model.h"
#include "ui/models/operation_model.h"
#include "ui/models/performance_report.h"
#include "ui/models/timing_history.h"

namespace snakepit::shm::ui {

namespace {

using Tester = QAbstractItemModelTester;
constexpr auto kFail = Tester::FailureReportingMode::QtTest;

Alert numbered(std::uint64_t id, Alert::State state, AlertSeverity severity = {}) {
    Alert alert;
    alert.id = id;
    alert.title = "alert " + std::to_string(id);
    alert.state = state;
    alert.severity = severity;
    alert.since = {static_cast<std::int64_t>(id)};
    return alert;
}

std::vector<std::uint64_t> ids(const AlertModel& model) {
    std::vector<std::uint64_t> out;
    for (int row = 0; row < model.rowCount(); ++row) out.push_back(model.row(row)->id);
    return out;
}

HostSegment segment(const std::string& name, std::uint64_t size,
                    SegmentVerdict verdict = SegmentVerdict::in_use) {
    HostSegment out;
    out.name = out.label = name;
    out.size = size;
    out.verdict = verdict;
    return out;
}

bool found(const char* filter, const HostSegment& segment) {
    const auto parsed = HostFilter::parse(filter);
    return parsed && parsed->matches(segment, now(), HostFilter::search_text(segment));
}

}  // namespace

class TestMonitoringModels : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void alerts_stand_worst_first_then_pending_ones_then_the_latest_resolved() {
        AlertModel model;
        Tester tester(&model, kFail);
        auto resolved_early = numbered(1, Alert::State::resolved, AlertSeverity::critical);
        resolved_early.resolved_at = {10};
        auto resolved_late = numbered(2, Alert::State::resolved);
        resolved_late.resolved_at = {20};
        auto taken_on = numbered(6, Alert::State::firing, AlertSeverity::critical);
        taken_on.acknowledged_by = "maria";
        model.show({resolved_early, numbered(3, Alert::State::pending), resolved_late,
                    numbered(4, Alert::State::firing, AlertSeverity::warning), taken_on,
                    numbered(5, Alert::State::firing, AlertSeverity::critical)});
        QCOMPARE(ids(model), (std::vector<std::uint64_t>{5, 6, 4, 3, 2, 1}));
    }

    void an_alert_keeps_its_row_selected_while_others_come_and_go() {
        AlertModel model;
        Tester tester(&model, kFail);
        model.show({numbered(1, Alert::State::firing), numbered(2, Alert::State::firing)});
        const QPersistentModelIndex kept = model.index(model.row_of(1), kAlertTitle);
        model.show({numbered(1, Alert::State::firing),
                    numbered(3, Alert::State::firing, AlertSeverity::critical)});
        QVERIFY(kept.isValid());
        QCOMPARE(kept.data(kIdRole).toULongLong(), 1ULL);
        QCOMPARE(model.row_of(2), -1);
        QCOMPARE(kept.row(), 1);
    }

    void a_state_says_that_it_is_acknowledged_silenced_and_flapping() {
        AlertModel model;
        auto alert = numbered(1, Alert::State::firing);
        alert.acknowledged_by = "maria";
        alert.silenced = alert.flapping = true;
        model.show({alert});
        QCOMPARE(model.index(0, kAlertState).data(kMarksRole).toStringList(),
                 (QStringList{QStringLiteral("acknowledged"), QStringLiteral("silenced"),
                              QStringLiteral("flapping")}));
        QVERIFY(!needs_someone(alert));
    }

    void words_are_looked_for_in_titles_subjects_and_states() {
        AlertModel model;
        Tester tester(&model, kFail);
        model.show(make_alerts(now()));
        model.set_search(QStringLiteral("firing LOCK"));
        QCOMPARE(ids(model), std::vector<std::uint64_t>{40});
        model.set_search({});
        QCOMPARE(model.rowCount(), static_cast<int>(model.total()));
    }

    void tables_agree_with_a_naive_sort_and_filter_whatever_changes() {
        HostModel model;
        Tester tester(&model, kFail);
        std::mt19937_64 random(3);
        std::map<std::string, HostSegment> world;
        for (int round = 0; round < 60; ++round) {
            for (int i = 0; i < 120; ++i) {
                const auto name = "s" + std::to_string(random() % 400);
                if (random() % 3 == 0)
                    world.erase(name);
                else
                    world[name] =
                        segment(name, random() % 50,
                                random() % 2 ? SegmentVerdict::left_over : SegmentVerdict::in_use);
            }
            if (round % 7 == 3)
                model.sort(kHostSize, round % 2 ? Qt::AscendingOrder : Qt::DescendingOrder);
            if (round % 5 == 2) model.set_filter(*HostFilter::parse("verdict:left_over size>10"));
            if (round % 5 == 4) model.set_filter({});
            std::vector<HostSegment> all;
            for (const auto& [name, one] : world) all.push_back(one);
            model.show(host_rows(all));
            const bool filtered = round % 5 == 2 || round % 5 == 3;
            const auto wanted = std::count_if(all.begin(), all.end(), [&](const HostSegment& s) {
                return !filtered || (s.verdict == SegmentVerdict::left_over && s.size > 10);
            });
            QCOMPARE(model.rowCount(), static_cast<int>(wanted));
            if (round < 3) continue;
            const bool rises = (round - 3) / 7 % 2 == 0;
            for (int row = 1; row < model.rowCount(); ++row) {
                const auto a = model.row(row - 1)->segment.size, b = model.row(row)->segment.size;
                QVERIFY2(rises ? a <= b : a >= b, qPrintable(QString::number(round)));
            }
        }
    }

    void a_big_change_costs_few_signals() {
        HostModel model;
        model.sort(kHostSize, Qt::AscendingOrder);
        auto survey = make_survey(10'000);
        model.show(host_rows(survey.segments));
        QSignalSpy inserted(&model, &QAbstractItemModel::rowsInserted);
        QSignalSpy removed(&model, &QAbstractItemModel::rowsRemoved);
        QSignalSpy moved(&model, &QAbstractItemModel::layoutChanged);
        QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
        std::mt19937_64 random(2);
        for (auto& one : survey.segments) one.size = random() % 1'000'000;
        for (std::size_t i = 0; i < survey.segments.size(); i += 3)
            survey.segments[i].name += "-new";
        model.show(host_rows(std::move(survey.segments)));
        QCOMPARE(model.rowCount(), 10'000);
        QVERIFY(inserted.count() + removed.count() + moved.count() < 70);
        QCOMPARE(reset.count(), 0);
    }

    void what_was_left_over_stands_first() {
        HostModel model;
        Tester tester(&model, kFail);
        model.show(host_rows({segment("a", 900), segment("b", 10, SegmentVerdict::left_over),
                              segment("c", 20, SegmentVerdict::left_over),
                              segment("d", 5, SegmentVerdict::ours)}));
        QStringList names;
        for (int row = 0; row < model.rowCount(); ++row)
            names << model.index(row, kHostName).data().toString();
        QCOMPARE(names.join(u' '), QStringLiteral("c b d a"));
        QCOMPARE(model.index(2, kHostVerdict).data().toString(), QStringLiteral("ours"));
    }

    void segments_are_filtered_by_words_and_fields() {
        auto one = segment("psm_1a2b", 4096, SegmentVerdict::left_over);
        one.program = "Python multiprocessing";
        one.user = "kim";
        one.creator = {77, SegmentCreator::KnownBy::kernel, Life::gone, {}, {}};
        QVERIFY(found("", one));
        QVERIFY(found("PSM python", one));
        QVERIFY(found("verdict:left_over size=4KiB owner:kim", one));
        QVERIFY(found("creator:exited users=0 -kind:memfd", one));
        QVERIFY(!found("size>4KiB", one));
        QVERIFY(!found("-python", one));
        QVERIFY(found("sysv:12", segment("sysv:12", 1)));
    }

    void a_filter_that_cannot_be_understood_names_the_part() {
        for (const char* wrong : {"size>", "size>much", "colour>3", "verdict>1", "verdict:gone",
                                  "verdict=left", "kind:pipe"}) {
            const auto parsed = HostFilter::parse(wrong);
            QVERIFY2(!parsed, wrong);
            QVERIFY(!parsed.error().remedy.empty());
        }
    }

    void thresholds_are_read_back_as_they_are_shown() {
        const std::pair<double, const char*> cases[] = {
            {0.9, "ratio"},    {1536.0 * 1024 * 1024, "bytes"},
            {12'345, "bytes"}, {0.25, "seconds"},
            {90, "seconds"},   {3, "events"}};
        for (const auto& [value, unit] : cases) {
            const auto again = parse_threshold(threshold_text(value, unit), unit);
            QVERIFY2(again && std::abs(*again - value) < 1e-9 * value,
                     qPrintable(threshold_text(value, unit)));
        }
        QCOMPARE(*parse_threshold(QStringLiteral(" 5m "), "seconds"), 300.0);
        QVERIFY(!parse_threshold(QStringLiteral("a lot"), "ratio"));
        QVERIFY(!parse_threshold(QStringLiteral("3 %"), "events"));
        QCOMPARE(period_text(90'000), QStringLiteral("90s"));
        QCOMPARE(period_text(7 * 86'400'000LL), QStringLiteral("7d"));
    }

    void rules_stand_gravest_first_and_those_switched_off_last() {
        AlertRuleModel model;
        Tester tester(&model, kFail);
        model.show(make_rules());
        QCOMPARE(model.row(0)->severity, AlertSeverity::critical);
        QVERIFY(!model.row(model.rowCount() - 1)->enabled);
        QVERIFY(model.index(0, kRuleCondition).data().toString().contains(u'>'));
    }

    void silences_say_until_when() {
        SilenceModel model;
        Tester tester(&model, kFail);
        AlertSilence timed, open;
        timed.id = 1, timed.until = {now().micros + 3'600'000'000LL};
        open.id = 2, open.rule = "orphans";
        model.show({timed, open});
        QCOMPARE(model.index(1, kSilenceUntil).data().toString(), QStringLiteral("resolved"));
        QVERIFY(model.index(0, kSilenceUntil).data().toString() != QStringLiteral("resolved"));
    }

    void the_last_minute_is_what_two_copies_differ_by() {
        TimingHistory history;
        QCOMPARE(history.last_minute(layout::Timed::map).count, std::uint64_t{0});
        for (std::int64_t second = 0; second <= 200; ++second) {
            auto timings = std::make_shared<Timings>();
            auto& map = (*timings)[static_cast<std::size_t>(layout::Timed::map)];
            map.count = map.buckets[5] = 1000 + static_cast<std::uint64_t>(second) * 10;
            history.add(std::move(timings), second * 1000);
        }
        QCOMPARE(history.since_start(layout::Timed::map).count, std::uint64_t{3000});
        const auto lately = history.last_minute(layout::Timed::map).count;
        QVERIFY(lately >= 600 && lately <= 620);
        history.clear();
        QCOMPARE(history.since_start(layout::Timed::map).count, std::uint64_t{0});
    }

    void operations_show_percentiles_and_say_when_there_is_nothing() {
        OperationModel model;
        Tester tester(&model, kFail);
        Timings timings{};
        timings[0].buckets[layout::bucket_of(38'000)] = timings[0].count = 100;
        model.show(timings);
        const auto p99 = model.index(0, kOperationP99);
        QVERIFY(p99.data().toString().endsWith(QStringLiteral("µs")));
        QVERIFY(std::abs(p99.data(kExportRole).toDouble() - 38'000) < 38'000 / 16.0);
        QCOMPARE(model.index(1, kOperationP50).data().toString(), QStringLiteral("–"));
        QVERIFY(model.index(1, kOperationP50).data(kMutedRole).toBool());
    }

    void times_are_written_with_three_digits() {
        QCOMPARE(nanos_text(830), QStringLiteral("830 ns"));
        QCOMPARE(nanos_text(12'340), QStringLiteral("12.3 µs"));
        QCOMPARE(nanos_text(4'560'000), QStringLiteral("4.56 ms"));
        QCOMPARE(nanos_text(999'900), QStringLiteral("1.00 ms"));
        QCOMPARE(nanos_text(1'000'000), QStringLiteral("1 ms"));
        QCOMPARE(nanos_text(2.5e9), QStringLiteral("2.50 s"));
    }

    void a_performance_report_is_read_and_nonsense_is_refused() {
        const auto report = parse_performance(
            R"({"recommendations":[{"topic":"arena_size","advice":"Use smaller arenas.","evidence":"e","bytes":4096}],
                "users":[{"name":"kim","regions":3,"bytes":4096,"references":7}]})");
        QVERIFY(report);
        QCOMPARE(report->advice.front().advice, std::string("Use smaller arenas."));
        QCOMPARE(report->users.front().bytes, std::uint64_t{4096});
        QVERIFY(report->workers.empty());
        QVERIFY(!parse_performance("nothing"));
    }
};

}  // namespace snakepit::shm::ui

QTEST_GUILESS_MAIN(snakepit::shm::ui::TestMonitoringModels)
#include "tst_monitoring_models.moc"
