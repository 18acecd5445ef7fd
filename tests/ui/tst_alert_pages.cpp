// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts as people see and answer them; their rules and silences.
#include <QComboBox>
#include <QLineEdit>

#include "patience.h"
#include "rich_fixture.h"
#include "ui/alert_notifier.h"
#include "ui/dialogs/acknowledge_dialog.h"
#include "ui/dialogs/alert_rule_dialog.h"
#include "ui/dialogs/silence_dialog.h"
#include "ui/models/alert_model.h"
#include "ui/models/event_model.h"
#include "ui/models/settings.h"
#include "ui/navigation_button.h"
#include "ui/pages/alert_details.h"
#include "ui/pages/alert_rules_view.h"
#include "ui/pages/alert_strip.h"
#include "ui/pages/silences_view.h"

namespace snakepit::shm::ui {

class TestAlertPages : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void the_badge_counts_what_nobody_has_acknowledged() {
        RichFixture fixture;
        NavigationButton* badge = nullptr;
        for (auto* one : fixture.window.findChildren<NavigationButton*>())
            if (one->badge() > 0) badge = one;
        QVERIFY(badge);
        QCOMPARE(badge->badge(), std::uint64_t{4});
        QVERIFY(badge->accessibleName().startsWith(QStringLiteral("Alerts")));
        for (const auto id : {33, 35, 40, 41})
            QVERIFY(fixture.monitoring->acknowledge(static_cast<std::uint64_t>(id), ""));
        QTRY_COMPARE_WITH_TIMEOUT(badge->badge(), std::uint64_t{0}, kPatienceMs);
    }

    void the_manager_is_asked_only_while_somebody_looks_or_a_count_changes() {
        RichFixture fixture;
        fixture.window.show_page(QStringLiteral("memory"));
        QTest::qWait(1500);
        const int asked = fixture.monitoring->lists();
        QSignalSpy seconds(&fixture.workspace, &Workspace::second_passed);
        while (seconds.count() < 3) QVERIFY(seconds.wait(60'000));
        QCOMPARE(fixture.monitoring->lists(), asked);
        fixture.monitoring->resolve(40);
        QTRY_COMPARE_WITH_TIMEOUT(fixture.monitoring->lists(), asked + 1, kPatienceMs);
        fixture.window.show_page(QStringLiteral("alerts"));
        QTRY_VERIFY_WITH_TIMEOUT(fixture.monitoring->lists() >= asked + 3, kPatienceMs);
    }

    void each_new_alert_is_told_once_and_silenced_ones_never() {
        Fixture fixture(20);
        auto& current = *fixture.window.findChild<CurrentAlerts*>();
        QStringList told;
        AlertNotifier notifier(current, [&told](const QString& title, const QString&,
                                                AlertSeverity) { told << title; });
        QSignalSpy seconds(&fixture.workspace, &Workspace::second_passed);
        QVERIFY(seconds.wait(60'000));  // it has seen that nothing fires
        fixture.monitoring->set_alerts(make_alerts(now()));
        QTRY_COMPARE_WITH_TIMEOUT(told.size(), 3,
                                  kPatienceMs);  // of five one is silenced and one acknowledged
        QVERIFY(told.filter(QStringLiteral("left behind")).isEmpty());
        fixture.window.show_page(QStringLiteral("alerts"));
        const int lists = fixture.monitoring->lists();
        QTRY_VERIFY_WITH_TIMEOUT(fixture.monitoring->lists() >= lists + 2, kPatienceMs);
        QCOMPARE(told.size(), 3);
        notifier.set_enabled(false);
        auto more = make_alerts(now());
        more.front().id = 99;
        fixture.monitoring->set_alerts(more);
        QTRY_VERIFY_WITH_TIMEOUT(current.find(99), kPatienceMs);
        QCOMPARE(told.size(), 3);
    }

    void acknowledging_says_it_once_with_the_comment() {
        RichFixture fixture;
        auto& table = fixture.alert_table();
        QTRY_VERIFY_WITH_TIMEOUT(table.model()->rowCount() > 0, kPatienceMs);
        table.selectRow(0);
        const auto id = table.model()->index(0, 0).data(kIdRole).toULongLong();
        button(fixture.alerts(), QStringLiteral("Acknowledge…"))->click();
        auto* dialog = fixture.window.findChild<AcknowledgeDialog*>();
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
        QVERIFY(finished.wait(60'000));
        const auto said = fixture.monitoring->acknowledged();
        QCOMPARE(said.size(), std::size_t{1});
        QCOMPARE(said.front(), (std::pair<std::uint64_t, std::string>{id, "on it"}));
        QTRY_VERIFY_WITH_TIMEOUT(!fixture.current().find(id)->acknowledged_by.empty(), kPatienceMs);
    }

    void a_refusal_leaves_the_dialog_open_and_says_why() {
        RichFixture fixture;
        fixture.monitoring->refuse_next(
            {ErrorCode::permission_denied, "only operators may", "ask one"});
        AcknowledgeDialog dialog(fixture.workspace, {make_alerts(now()).front()}, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy finished(&dialog, &AcknowledgeDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(60'000));
        QVERIFY(dialog.isVisible() && says(dialog, QStringLiteral("only operators may")));
        QVERIFY(primary(dialog)->isEnabled());
    }

    void silencing_can_last_until_it_is_resolved_and_can_be_ended() {
        RichFixture fixture;
        const auto alert = make_alerts(now()).front();
        SilenceDialog dialog(fixture.workspace, alert, &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QVERIFY(command_of(dialog).contains(QStringLiteral("alerts silence --rule host-memory")));
        QVERIFY(command_of(dialog).contains(QStringLiteral("--for 1h")));
        keep(dialog, QStringLiteral("silence"));
        auto* time = named<QComboBox>(dialog, QStringLiteral("Duration"));
        time->setCurrentIndex(time->count() - 1);
        QVERIFY(command_of(dialog).contains(QStringLiteral("--until-resolved")));
        QSignalSpy finished(&dialog, &SilenceDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(60'000));
        auto& alerts = fixture.alerts();
        alerts.show_view(AlertsPage::kSilences);
        auto* view = alerts.findChild<SilencesView*>();
        QTRY_COMPARE_WITH_TIMEOUT(view->table()->model()->rowCount(), 2, kPatienceMs);
        view->table()->selectAll();
        button(*view, QStringLiteral("End silence"))->click();
        QTRY_COMPARE_WITH_TIMEOUT(view->table()->model()->rowCount(), 0, kPatienceMs);
    }

    void a_rule_is_tried_on_the_past_before_it_is_saved() {
        RichFixture fixture;
        AlertRuleDialog dialog(fixture.workspace, make_rules().front(), &fixture.window);
        dialog.setAttribute(Qt::WA_DeleteOnClose, false);
        dialog.show();
        QSignalSpy tried(&dialog, &AlertRuleDialog::backtested);
        QVERIFY(tried.wait(60'000));
        QVERIFY(says(dialog, QStringLiteral("Would have fired 14 times in the last 7 days")));
        QVERIFY(!primary(dialog)->isEnabled());  // nothing was changed
        keep(dialog, QStringLiteral("rule"));
        auto* limit = named<QLineEdit>(dialog, QStringLiteral("Limit"));
        limit->setText(QStringLiteral("9o %"));
        QVERIFY(says(dialog, QStringLiteral("expected a percentage")));
        QVERIFY(!primary(dialog)->isEnabled());
        limit->setText(QStringLiteral("95 %"));
        QVERIFY(tried.wait(60'000));
        QVERIFY(says(dialog, QStringLiteral("Would have fired 4 times")));
        QSignalSpy finished(&dialog, &AlertRuleDialog::finished_run);
        primary(dialog)->click();
        QVERIFY(finished.wait(60'000));
        const auto set = fixture.monitoring->rules_set();
        QCOMPARE(set.size(), std::size_t{1});
        QCOMPARE(set.front().threshold, 0.95);
        QCOMPARE(set.front().name, std::string("host-memory"));
    }

    void a_rule_is_switched_off_where_it_stands() {
        RichFixture fixture;
        auto& alerts = fixture.alerts();
        alerts.show_view(AlertsPage::kRules);
        auto* view = alerts.findChild<AlertRulesView*>();
        QTRY_VERIFY_WITH_TIMEOUT(view->table()->model()->rowCount() > 0, kPatienceMs);
        view->table()->selectRow(0);
        const auto words = command_of(*view);
        QVERIFY(words.startsWith(QStringLiteral("snakepit-shm alerts rules disable ")));
        button(*view, QStringLiteral("Disable"))->click();
        QTRY_COMPARE_WITH_TIMEOUT(fixture.monitoring->rules_set().size(), std::size_t{1},
                                  kPatienceMs);
        QVERIFY(!fixture.monitoring->rules_set().front().enabled);
        QTRY_VERIFY_WITH_TIMEOUT(button(*view, QStringLiteral("Enable")), kPatienceMs);
    }

    void an_alert_leads_to_its_events() {
        RichFixture fixture;
        auto& table = fixture.alert_table();
        auto* details = fixture.alerts().findChild<AlertDetails*>();
        const auto select = [&](std::uint64_t id) {
            for (int row = 0; row < table.model()->rowCount(); ++row)
                if (table.model()->index(row, 0).data(kIdRole).toULongLong() == id)
                    table.selectRow(row);
        };
        select(42);
        QTRY_VERIFY_WITH_TIMEOUT(button(*details, QStringLiteral("Show events: Refused")),
                                 kPatienceMs);
        button(*details, QStringLiteral("Show events: Refused"))->click();
        auto* kind = named<QComboBox>(fixture.window, QStringLiteral("Event kind"));
        QVERIFY(kind->isVisible());
        QCOMPARE(kind->currentData().toInt(), static_cast<int>(EventKind::refused));
        fixture.window.show_page(QStringLiteral("alerts"));
        select(40);
        button(*details, QStringLiteral("Show the region's events"))->click();
        QCOMPARE(named<QLineEdit>(fixture.window, QStringLiteral("Search events"))->text(),
                 QString::fromStdString(fixture.current().find(40)->subject));
    }

    void a_click_on_the_dashboard_leads_to_the_alert() {
        RichFixture fixture;
        fixture.window.show_page(QStringLiteral("dashboard"));
        auto* strip = fixture.window.findChild<AlertStrip*>();
        QVERIFY(strip->isVisible());
        Q_EMIT strip->alert_wanted(33);
        auto& table = fixture.alert_table();
        QTRY_VERIFY_WITH_TIMEOUT(table.selectionModel()->hasSelection(), kPatienceMs);
        QCOMPARE(table.currentIndex().data(kIdRole).toULongLong(), 33ULL);
        fixture.monitoring->set_alerts({});
        fixture.window.show_page(QStringLiteral("dashboard"));
        QTRY_VERIFY_WITH_TIMEOUT(!strip->isVisible(), kPatienceMs);
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestAlertPages)
#include "tst_alert_pages.moc"
