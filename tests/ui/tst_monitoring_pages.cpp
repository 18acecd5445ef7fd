// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts, performance and the host, as the window shows them and acts on them.
#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QTableWidget>

#include "find_widget.h"
#include "stage.h"
#include "ui/alert_notifier.h"
#include "ui/dialogs/acknowledge_dialog.h"
#include "ui/dialogs/alert_rule_dialog.h"
#include "ui/dialogs/host_clean_dialog.h"
#include "ui/dialogs/silence_dialog.h"
#include "ui/graphs/histogram_view.h"
#include "ui/models/alert_book.h"
#include "ui/models/alert_model.h"
#include "ui/models/event_model.h"
#include "ui/models/settings.h"
#include "ui/navigation_button.h"
#include "ui/pages/alert_details.h"
#include "ui/pages/alert_rules_view.h"
#include "ui/pages/alert_strip.h"
#include "ui/pages/alerts_page.h"
#include "ui/pages/host_page.h"
#include "ui/pages/performance_page.h"
#include "ui/pages/silences_view.h"
#include "ui/pages/table_view.h"
#include "ui/theme.h"
#include "watchdog.h"

namespace snakepit::shm::ui {

namespace {

bool says(QWidget& widget, const QString& words) {
    for (const auto* label : widget.findChildren<QLabel*>())
        if (label->isVisible() && label->text().contains(words)) return true;
    return false;
}

QString command_of(QWidget& widget) {
    const auto* label = widget.findChild<QLabel*>(QStringLiteral("command"));
    return label ? label->text() : QString();
}

QPushButton* button(QWidget& widget, const QString& text) {
    for (auto* one : widget.findChildren<QPushButton*>())
        if (one->isVisible() && one->text() == text) return one;
    return nullptr;
}

PerformanceReport advice() {
    PerformanceReport report;
    report.advice = {
        {"Set arena_size to 16MiB: arenas are much larger than what lives in them.",
         "4,310 regions take 58 MiB; 270 MiB of arenas are kept ready for them.", 212ULL << 20},
        {"Look at what session epoch-7 keeps: it never unmaps.",
         "tensor_loader (4247), worker embedder took 1,212 references in the last hour and gave "
         "none back; it holds 4,212.",
         0},
        {"Raise max_total_memory, or look for what grows: the limit is reached in about 9 hours at "
         "this rate.",
         "Memory of regions grew by 84 MiB an hour in the last hour; 760 MiB are left.", 0}};
    report.users = {{"www-data", 812, 640ULL << 20, 2140, 18'204},
                    {"kim", 64, 96ULL << 20, 71, 640},
                    {"root", 3, 12288, 0, 9}};
    report.sessions = {{"epoch-7", 410, 340ULL << 20, 1212, 9'100}, {"", 12, 4ULL << 20, 3, 44}};
    report.workers = {{"embedder", 300, 280ULL << 20, 900, 7'001},
                      {"resize", 41, 20ULL << 20, 44, 800}};
    return report;
}

// A stage with something to see on every page.
struct RichStage : Stage {
    explicit RichStage(std::size_t segments = 180, std::vector<Alert> alerts = make_alerts(now()))
        : Stage(200) {
        window.resize(1440, 900);
        survey->set_survey(make_survey(segments));
        monitoring->report = advice();
        monitoring->set_alerts(std::move(alerts));
        AlertSilence known;
        known.rule = "orphans";
        known.until = {now().micros + 3'000'000'000LL};
        known.comment = "until tonight's release";
        Q_UNUSED(monitoring->silence(known));
        QSignalSpy counted(&book(), &AlertBook::changed);
        counted.wait(5000);
    }
    AlertBook& book() { return *window.findChild<AlertBook*>(); }
    AlertsPage& alerts() {
        window.show_page(QStringLiteral("alerts"));
        return *window.findChild<AlertsPage*>();
    }
    TableView& alert_table() { return *named<TableView>(alerts(), QStringLiteral("Alerts")); }
    HostPage& host() {
        auto* page = window.findChild<HostPage*>();
        QSignalSpy surveyed(page, &HostPage::surveyed);
        window.show_page(QStringLiteral("host"));
        surveyed.wait(5000);
        return *page;
    }
};

}  // namespace

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
        RichStage stage;
        const auto keep_page = [&](const QString& name) {
            keep(stage.window, QStringLiteral("%1-%2").arg(name, theme));
        };
        stage.window.show_page(QStringLiteral("dashboard"));
        QVERIFY(stage.window.findChild<AlertStrip*>()->isVisible());
        keep_page(QStringLiteral("dashboard"));
        auto& alerts = stage.alerts();
        auto* rules = alerts.findChild<AlertRulesView*>();
        QSignalSpy answered(rules, &AlertRulesView::answered);
        QVERIFY(answered.wait(3000));
        keep_page(QStringLiteral("alerts"));
        stage.alert_table().selectRow(2);
        keep_page(QStringLiteral("alerts-acknowledged"));
        alerts.show_view(AlertsPage::kHistory);
        auto* history = alerts.findChild<AlertHistoryModel*>();
        QTRY_VERIFY(history->rowCount() > 0);
        keep_page(QStringLiteral("alerts-history"));
        alerts.show_view(AlertsPage::kRules);
        rules->table()->selectRow(1);
        keep_page(QStringLiteral("alerts-rules"));
        alerts.show_view(AlertsPage::kSilences);
        auto* silences = alerts.findChild<SilencesView*>();
        QTRY_COMPARE(silences->table()->model()->rowCount(), 1);
        silences->table()->selectRow(0);
        keep_page(QStringLiteral("alerts-silences"));
        auto* performance = stage.window.findChild<PerformancePage*>();
        QSignalSpy reported(performance, &PerformancePage::reported);
        stage.window.show_page(QStringLiteral("performance"));
        QVERIFY(reported.wait(3000));
        QTest::qWait(300);
        keep_page(QStringLiteral("performance"));
        performance->choose(layout::Timed::lock_wait);
        named<QToolButton>(*performance, QStringLiteral("Users"))->click();
        keep_page(QStringLiteral("performance-lock-wait"));
        auto& host = stage.host();
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
        Stage stage(3);
        stage.window.resize(1440, 900);
        stage.window.show_page(QStringLiteral("alerts"));
        auto* alerts = stage.window.findChild<AlertsPage*>();
        QTRY_VERIFY(says(*alerts, QStringLiteral("All is well")));
        keep(stage.window, QStringLiteral("alerts-empty"));
        stage.window.show_page(QStringLiteral("host"));
        auto* host = stage.window.findChild<HostPage*>();
        QTRY_VERIFY(says(*host, QStringLiteral("No shared memory on this host")));
        keep(stage.window, QStringLiteral("host-empty"));
        stage.window.show_page(QStringLiteral("performance"));
        auto* performance = stage.window.findChild<PerformancePage*>();
        QTRY_VERIFY(says(*performance, QStringLiteral("Nothing to recommend")));
        keep(stage.window, QStringLiteral("performance-empty"));
    }

    void the_badge_counts_what_nobody_has_acknowledged() {
        RichStage stage;
        NavigationButton* badge = nullptr;
        for (auto* one : stage.window.findChildren<NavigationButton*>())
            if (one->badge() > 0) badge = one;
        QVERIFY(badge);
        QCOMPARE(badge->badge(), std::uint64_t{4});
        QVERIFY(badge->accessibleName().startsWith(QStringLiteral("Alerts")));
        for (const auto id : {33, 35, 40, 41})
            QVERIFY(stage.monitoring->acknowledge(static_cast<std::uint64_t>(id), ""));
        QTRY_COMPARE(badge->badge(), std::uint64_t{0});
    }

    void the_manager_is_asked_only_while_somebody_looks_or_a_count_changes() {
        RichStage stage;
        stage.window.show_page(QStringLiteral("memory"));
        QTest::qWait(1500);
        const int asked = stage.monitoring->lists();
        QSignalSpy seconds(&stage.workspace, &Workspace::second_passed);
        while (seconds.count() < 3) QVERIFY(seconds.wait(3000));
        QCOMPARE(stage.monitoring->lists(), asked);
        stage.monitoring->resolve(40);
        QTRY_COMPARE(stage.monitoring->lists(), asked + 1);
        stage.window.show_page(QStringLiteral("alerts"));
        QTRY_VERIFY(stage.monitoring->lists() >= asked + 3);
    }

    void each_new_alert_is_told_once_and_silenced_ones_never() {
        Stage stage(20);
        auto& book = *stage.window.findChild<AlertBook*>();
        QStringList told;
        AlertNotifier notifier(
            book, [&told](const QString& title, const QString&, AlertSeverity) { told << title; });
        QSignalSpy seconds(&stage.workspace, &Workspace::second_passed);
        QVERIFY(seconds.wait(3000));  // it has seen that nothing fires
        stage.monitoring->set_alerts(make_alerts(now()));
        QTRY_COMPARE(told.size(), 3);  // of five one is silenced and one acknowledged
        QVERIFY(told.filter(QStringLiteral("left behind")).isEmpty());
        stage.window.show_page(QStringLiteral("alerts"));
        const int lists = stage.monitoring->lists();
        QTRY_VERIFY(stage.monitoring->lists() >= lists + 2);
        QCOMPARE(told.size(), 3);
        notifier.set_enabled(false);
        auto more = make_alerts(now());
        more.front().id = 99;
        stage.monitoring->set_alerts(more);
        QTRY_VERIFY(book.find(99));
        QCOMPARE(told.size(), 3);
    }

    void acknowledging_says_it_once_with_the_comment() {
        RichStage stage;
        auto& table = stage.alert_table();
        QTRY_VERIFY(table.model()->rowCount() > 0);
        table.selectRow(0);
        const auto id = table.model()->index(0, 0).data(kIdRole).toULongLong();
        button(stage.alerts(), QStringLiteral("Acknowledge…"))->click();
        auto* dialog = stage.window.findChild<AcknowledgeDialog*>();
        QVERIFY(dialog);
        QTest::keyClicks(named<QLineEdit>(*dialog, QStringLiteral("Comment")),
                         QStringLiteral("on it"));
        QCOMPARE(command_of(*dialog),
                 QStringLiteral("snakepit-shm alerts ack %1 --comment 'on it'").arg(id));
        keep(*dialog, QStringLiteral("acknowledge"));
        QSignalSpy finished(dialog, &AcknowledgeDialog::finished_run);
        auto* run = primary(*dialog);
        run->click();
        run->click();
        QVERIFY(finished.wait(3000));
        const auto said = stage.monitoring->acknowledged();
        QCOMPARE(said.size(), std::size_t{1});
        QCOMPARE(said.front(), (std::pair<std::uint64_t, std::string>{id, "on it"}));
        QTRY_VERIFY(!stage.book().find(id)->acknowledged_by.empty());
    }

    void a_refusal_leaves_the_dialog_open_and_says_why() {
        RichStage stage;
        stage.monitoring->refuse_next(
            {ErrorCode::permission_denied, "only operators may", "ask one"});
        AcknowledgeDialog dialog(stage.workspace, {make_alerts(now()).front()}, &stage.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy finished(&dialog, &AcknowledgeDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(3000));
        QVERIFY(dialog.isVisible() && says(dialog, QStringLiteral("only operators may")));
        QVERIFY(primary(dialog)->isEnabled());
    }

    void silencing_can_last_until_it_is_resolved_and_can_be_ended() {
        RichStage stage;
        const auto alert = make_alerts(now()).front();
        SilenceDialog dialog(stage.workspace, alert, &stage.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QVERIFY(command_of(dialog).contains(QStringLiteral("alerts silence --rule host-memory")));
        QVERIFY(command_of(dialog).contains(QStringLiteral("--for 1h")));
        keep(dialog, QStringLiteral("silence"));
        auto* time = named<QComboBox>(dialog, QStringLiteral("For how long"));
        time->setCurrentIndex(time->count() - 1);
        QVERIFY(command_of(dialog).contains(QStringLiteral("--until-resolved")));
        QSignalSpy finished(&dialog, &SilenceDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(3000));
        auto& alerts = stage.alerts();
        alerts.show_view(AlertsPage::kSilences);
        auto* view = alerts.findChild<SilencesView*>();
        QTRY_COMPARE(view->table()->model()->rowCount(), 2);
        view->table()->selectAll();
        button(*view, QStringLiteral("End silence"))->click();
        QTRY_COMPARE(view->table()->model()->rowCount(), 0);
    }

    void a_rule_is_tried_on_the_past_before_it_is_saved() {
        RichStage stage;
        AlertRuleDialog dialog(stage.workspace, make_rules().front(), &stage.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy tried(&dialog, &AlertRuleDialog::backtested);
        QVERIFY(tried.wait(3000));
        QVERIFY(says(dialog, QStringLiteral("Would have fired 14 times in the last 7 days")));
        QVERIFY(!primary(dialog)->isEnabled());  // nothing was changed
        keep(dialog, QStringLiteral("rule"));
        auto* limit = named<QLineEdit>(dialog, QStringLiteral("Limit"));
        limit->setText(QStringLiteral("9o %"));
        QVERIFY(says(dialog, QStringLiteral("is not a share")));
        QVERIFY(!primary(dialog)->isEnabled());
        limit->setText(QStringLiteral("95 %"));
        QVERIFY(tried.wait(3000));
        QVERIFY(says(dialog, QStringLiteral("Would have fired 4 times")));
        QSignalSpy finished(&dialog, &AlertRuleDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(3000));
        const auto set = stage.monitoring->rules_set();
        QCOMPARE(set.size(), std::size_t{1});
        QCOMPARE(set.front().threshold, 0.95);
        QCOMPARE(set.front().name, std::string("host-memory"));
    }

    void a_rule_is_switched_off_where_it_stands() {
        RichStage stage;
        auto& alerts = stage.alerts();
        alerts.show_view(AlertsPage::kRules);
        auto* view = alerts.findChild<AlertRulesView*>();
        QTRY_VERIFY(view->table()->model()->rowCount() > 0);
        view->table()->selectRow(0);
        const auto words = command_of(*view);
        QVERIFY(words.startsWith(QStringLiteral("snakepit-shm alerts rules disable ")));
        button(*view, QStringLiteral("Switch off"))->click();
        QTRY_COMPARE(stage.monitoring->rules_set().size(), std::size_t{1});
        QVERIFY(!stage.monitoring->rules_set().front().enabled);
        QTRY_VERIFY(button(*view, QStringLiteral("Switch on")));
    }

    void an_alert_leads_to_its_events() {
        RichStage stage;
        auto& table = stage.alert_table();
        auto* details = stage.alerts().findChild<AlertDetails*>();
        const auto select = [&](std::uint64_t id) {
            for (int row = 0; row < table.model()->rowCount(); ++row)
                if (table.model()->index(row, 0).data(kIdRole).toULongLong() == id)
                    table.selectRow(row);
        };
        select(42);
        QTRY_VERIFY(button(*details, QStringLiteral("Show events: Refused")));
        button(*details, QStringLiteral("Show events: Refused"))->click();
        auto* kind = named<QComboBox>(stage.window, QStringLiteral("Kind of event"));
        QVERIFY(kind->isVisible());
        QCOMPARE(kind->currentData().toInt(), static_cast<int>(EventKind::refused));
        stage.window.show_page(QStringLiteral("alerts"));
        select(40);
        button(*details, QStringLiteral("Show the region's events"))->click();
        QCOMPARE(named<QLineEdit>(stage.window, QStringLiteral("Region id"))->text(),
                 QString::fromStdString(stage.book().find(40)->subject));
    }

    void a_click_on_the_dashboard_leads_to_the_alert() {
        RichStage stage;
        stage.window.show_page(QStringLiteral("dashboard"));
        auto* strip = stage.window.findChild<AlertStrip*>();
        QVERIFY(strip->isVisible());
        Q_EMIT strip->alert_wanted(33);
        auto& table = stage.alert_table();
        QTRY_VERIFY(table.selectionModel()->hasSelection());
        QCOMPARE(table.currentIndex().data(kIdRole).toULongLong(), 33ULL);
        stage.monitoring->set_alerts({});
        stage.window.show_page(QStringLiteral("dashboard"));
        QTRY_VERIFY(!strip->isVisible());
    }

    void cleaning_the_host_runs_exactly_the_plan_it_showed() {
        RichStage stage;
        HostCleanDialog dialog(stage.workspace, {}, &stage.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy rehearsed(&dialog, &HostCleanDialog::rehearsed);
        QVERIFY(rehearsed.wait(3000));
        keep(dialog, QStringLiteral("host-clean-plan"));
        QCOMPARE(command_of(dialog), QStringLiteral("snakepit-shm host clean --yes"));
        auto* table = dialog.findChild<QTableWidget*>();
        std::vector<std::string> planned;
        for (int row = 0; row < table->rowCount(); ++row)
            if (table->item(row, 3)->text() == QStringLiteral("goes"))
                planned.push_back(table->item(row, 0)->text().toStdString());
        QVERIFY(planned.size() > 2);
        // Between the rehearsal and the run somebody comes, and one goes and another takes its
        // name.
        stage.survey->use(planned[0]);
        stage.survey->exchange(planned[1]);
        QSignalSpy finished(&dialog, &HostCleanDialog::finished_run);
        for (auto* one : dialog.findChildren<QPushButton*>())
            if (one->property("danger").toBool()) one->click(), one->click();
        QVERIFY(finished.wait(3000));
        QCOMPARE(stage.survey->rehearsals(), std::vector<std::vector<std::string>>{{}});
        QCOMPARE(stage.survey->runs(), std::vector<std::vector<std::string>>{planned});
        QCOMPARE(table->item(0, 3)->text(), QStringLiteral("stays"));
        QVERIFY(table->item(0, 5)->text().contains(QStringLiteral("latecomer")));
        QCOMPARE(table->item(1, 3)->text(), QStringLiteral("stays"));
        QVERIFY(table->item(1, 5)->text().contains(QStringLiteral("another has its name")));
        QVERIFY(says(dialog, QStringLiteral("2 stayed")));
        keep(dialog, QStringLiteral("host-clean-done"));
    }

    void what_is_selected_is_offered_first_and_what_is_in_use_is_refused() {
        RichStage stage;
        const auto survey = stage.survey->survey();
        std::vector<std::string> names;
        for (const auto& segment : survey->segments)
            if (segment.program == "PostgreSQL") names.push_back(segment.name);
        HostCleanDialog dialog(stage.workspace, names, &stage.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy rehearsed(&dialog, &HostCleanDialog::rehearsed);
        QVERIFY(rehearsed.wait(3000));
        QVERIFY(says(dialog, QStringLiteral("Nothing of this can be removed")));
        for (auto* one : dialog.findChildren<QPushButton*>())
            if (one->property("danger").toBool()) QVERIFY(!one->isEnabled());
    }

    void the_host_is_looked_at_again_and_again_only_while_it_is_seen() {
        RichStage stage;
        stage.host();
        QCOMPARE(stage.survey->surveys(), 1);
        QTRY_COMPARE_WITH_TIMEOUT(stage.survey->surveys(), 2, 9000);
        stage.window.show_page(QStringLiteral("memory"));
        QTest::qWait(6500);
        QVERIFY(stage.survey->surveys() <= 2);
    }

    void ten_thousand_segments_and_a_thousand_alerts_never_stall_the_window() {
        std::vector<Alert> many;
        for (std::uint64_t i = 0; i < 1000; ++i) {
            many.push_back(make_alerts(now())[i % 6]);
            many.back().id = i + 1;
        }
        RichStage stage(10'000, many);
        auto& page = stage.host();
        QCOMPARE(page.table().model()->rowCount(), 10'000);
        Watchdog watchdog;
        const auto step = [&](auto action) {
            action();
            stage.window.grab();
            QTest::qWait(30);
        };
        step([&] { page.set_filter_text(QStringLiteral("python")); });
        step([&] { page.set_filter_text({}); });
        step([&] { page.table().sortByColumn(4, Qt::DescendingOrder); });
        page.table().selectRow(5);
        QSignalSpy surveyed(&page, &HostPage::surveyed);
        auto survey = make_survey(10'000);
        for (std::size_t i = 0; i < survey.segments.size(); i += 4) survey.segments[i].name += "x";
        stage.survey->set_survey(std::move(survey));
        step([&] { QVERIFY(surveyed.wait(9000)); });
        step([&] { stage.alerts(); });
        QSignalSpy listed(&stage.book(), &AlertBook::changed);
        step([&] { QVERIFY(listed.wait(3000)); });
        qInfo("10,000 segments, 1,000 alerts: at most %.1f ms at once", watchdog.worst_millis());
        QVERIFY(watchdog.worst_millis() < 100.0 * SNAKEPIT_TIME_FACTOR);
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestMonitoringPages)
#include "tst_monitoring_pages.moc"
