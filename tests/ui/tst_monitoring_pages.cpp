// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts, performance and the host, as the window shows them: full, empty, and of any size.
#include <QToolButton>

#include "patience.h"
#include "rich_fixture.h"
#include "ui/models/alert_model.h"
#include "ui/models/settings.h"
#include "ui/pages/alert_rules_view.h"
#include "ui/pages/alert_strip.h"
#include "ui/pages/performance_page.h"
#include "ui/pages/silences_view.h"
#include "ui/theme.h"
#include "watchdog.h"

namespace snakepit::shm::ui {

class TestMonitoringPages : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void the_pages_paint_in_both_themes_data() {
        QTest::addColumn<QString>("theme");
        QTest::newRow("light") << QStringLiteral("light");
        QTest::newRow("dark") << QStringLiteral("dark");
    }

    void the_pages_paint_in_both_themes() {
        QFETCH(QString, theme);
        Theme::instance().apply(*parse_theme(theme));
        RichFixture fixture;
        const auto keep_page = [&](const QString& name) {
            keep(fixture.window, QStringLiteral("%1-%2").arg(name, theme));
        };
        fixture.window.show_page(QStringLiteral("dashboard"));
        QVERIFY(fixture.window.findChild<AlertStrip*>()->isVisible());
        keep_page(QStringLiteral("dashboard"));
        auto& alerts = fixture.alerts();
        auto* rules = alerts.findChild<AlertRulesView*>();
        QSignalSpy answered(rules, &AlertRulesView::answered);
        QVERIFY(answered.wait(60'000));
        keep_page(QStringLiteral("alerts"));
        fixture.alert_table().selectRow(2);
        keep_page(QStringLiteral("alerts-acknowledged"));
        alerts.show_view(AlertsPage::kHistory);
        auto* history = alerts.findChild<AlertHistoryModel*>();
        QTRY_VERIFY_WITH_TIMEOUT(history->rowCount() > 0, kPatienceMs);
        keep_page(QStringLiteral("alerts-history"));
        alerts.show_view(AlertsPage::kRules);
        rules->table()->selectRow(1);
        keep_page(QStringLiteral("alerts-rules"));
        alerts.show_view(AlertsPage::kSilences);
        auto* silences = alerts.findChild<SilencesView*>();
        QTRY_COMPARE_WITH_TIMEOUT(silences->table()->model()->rowCount(), 1, kPatienceMs);
        silences->table()->selectRow(0);
        keep_page(QStringLiteral("alerts-silences"));
        auto* performance = fixture.window.findChild<PerformancePage*>();
        QSignalSpy reported(performance, &PerformancePage::reported);
        fixture.window.show_page(QStringLiteral("performance"));
        QVERIFY(reported.wait(60'000));
        QTest::qWait(300);
        keep_page(QStringLiteral("performance"));
        performance->choose(layout::Timed::lock_wait);
        named<QToolButton>(*performance, QStringLiteral("Users"))->click();
        keep_page(QStringLiteral("performance-lock-wait"));
        auto& host = fixture.host();
        host.table().selectRow(0);
        keep_page(QStringLiteral("host"));
        host.set_filter_text(QStringLiteral("program:postgres size>"));
        QVERIFY(says(host, QStringLiteral("size")));
        host.set_filter_text(QStringLiteral("kind:memfd verdict:in_use"));
        host.table().selectRow(3);
        keep_page(QStringLiteral("host-filtered"));
    }

    void pages_without_anything_say_why() {
        Theme::instance().apply(ThemeChoice::light);
        Fixture fixture(3);
        fixture.window.resize(1440, 900);
        fixture.window.show_page(QStringLiteral("alerts"));
        auto* alerts = fixture.window.findChild<AlertsPage*>();
        QTRY_VERIFY_WITH_TIMEOUT(says(*alerts, QStringLiteral("No alerts")), kPatienceMs);
        keep(fixture.window, QStringLiteral("alerts-empty"));
        fixture.window.show_page(QStringLiteral("host"));
        auto* host = fixture.window.findChild<HostPage*>();
        QTRY_VERIFY_WITH_TIMEOUT(says(*host, QStringLiteral("No shared memory on this host")),
                                 kPatienceMs);
        keep(fixture.window, QStringLiteral("host-empty"));
        fixture.window.show_page(QStringLiteral("performance"));
        auto* performance = fixture.window.findChild<PerformancePage*>();
        QTRY_VERIFY_WITH_TIMEOUT(says(*performance, QStringLiteral("No recommendations")),
                                 kPatienceMs);
        keep(fixture.window, QStringLiteral("performance-empty"));
    }

    void ten_thousand_segments_and_a_thousand_alerts_never_stall_the_window() {
        std::vector<Alert> many;
        for (std::uint64_t i = 0; i < 1000; ++i) {
            many.push_back(make_alerts(now())[i % 6]);
            many.back().id = i + 1;
        }
        Attempts attempts(100.0 * SNAKEPIT_TIME_FACTOR);
        while (attempts.more()) {
            RichFixture fixture(10'000, many);
            auto& page = fixture.host();
            QCOMPARE(page.table().model()->rowCount(), 10'000);
            Watchdog watchdog;
            const auto step = [&](auto action) {
                action();
                fixture.window.grab();
                QTest::qWait(30);
            };
            step([&] { page.set_filter_text(QStringLiteral("python")); });
            step([&] { page.set_filter_text({}); });
            step([&] { page.table().sortByColumn(4, Qt::DescendingOrder); });
            page.table().selectRow(5);
            QSignalSpy surveyed(&page, &HostPage::surveyed);
            auto survey = make_survey(10'000);
            for (std::size_t i = 0; i < survey.segments.size(); i += 4)
                survey.segments[i].name += "x";
            fixture.survey->set_survey(std::move(survey));
            step([&] { QVERIFY(surveyed.wait(60'000)); });
            step([&] { fixture.alerts(); });
            QSignalSpy listed(&fixture.current(), &CurrentAlerts::changed);
            step([&] { QVERIFY(listed.wait(60'000)); });
            qInfo("10,000 segments, 1,000 alerts: at most %.1f ms at once",
                  watchdog.worst_millis());
            attempts.took(watchdog.worst_millis());
        }
        QVERIFY(attempts.met());
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestMonitoringPages)
#include "tst_monitoring_pages.moc"
