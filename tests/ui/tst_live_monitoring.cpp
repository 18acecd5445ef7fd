// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts, timings and the host's segments of a real service, through the window.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <QFile>
#include <QJsonArray>
#include <QJsonObject>
#include <QSignalSpy>

#include "find_widget.h"
#include "live_fixture.h"
#include "ui/dialogs/acknowledge_dialog.h"
#include "ui/models/alert_rule_model.h"
#include "ui/models/current_alerts.h"
#include "ui/models/live_survey.h"
#include "ui/models/settings.h"
#include "ui/pages/alert_rules_view.h"
#include "ui/pages/alerts_page.h"
#include "ui/pages/host_page.h"
#include "ui/pages/table_view.h"

namespace snakepit::shm::ui {

namespace {

using test::Service;

QJsonObject rule_of(const Service& service, const QString& name) {
    for (const auto rule : service.cli_json({"alerts", "rules"})["rules"].toArray())
        if (rule.toObject()["name"].toString() == name) return rule.toObject();
    return {};
}

// Fires as soon as there is a region.
bool add_rule(const Service& service) {
    QFile file(service.host().path(QStringLiteral("rule.json")));
    if (!file.open(QIODevice::WriteOnly)) return false;
    file.write(R"({"name":"any-region","metric":"regions","comparison":">","threshold":0,)"
               R"("severity":"critical"})");
    file.close();
    return service.cli({"alerts", "rules", "set", file.fileName()}).status == 0;
}

bool allocate(const Service& service) {
    return service.cli({"allocate", "64KiB", "--cleanup-policy", "manual"}).status == 0;
}

}  // namespace

class TestLiveMonitoring : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void a_rule_switched_off_in_the_window_is_off_for_all_users() {
        Service service;
        QVERIFY(service.start());
        LiveFixture fixture(service);
        fixture.window.show_page(QStringLiteral("alerts"));
        auto* page = fixture.window.findChild<AlertsPage*>();
        page->show_view(AlertsPage::kRules);
        auto* view = page->findChild<AlertRulesView*>();
        QTRY_VERIFY_WITH_TIMEOUT(view->rules().size() > 5, kPatience);
        view->table()->selectRow(0);
        const auto name = view->table()->model()->index(0, kRuleName).data().toString();
        QVERIFY(rule_of(service, name)["enabled"].toBool());
        fixture.press(QStringLiteral("Disable"));
        QTRY_VERIFY_WITH_TIMEOUT(!rule_of(service, name)["enabled"].toBool(true), kPatience);
    }

    void an_alert_is_announced_shown_and_acknowledged() {
        Service service;
        QVERIFY(service.start());
        LiveFixture fixture(service);
        QVERIFY(add_rule(service) && allocate(service));
        auto* current = fixture.window.findChild<CurrentAlerts*>();
        QTRY_COMPARE_WITH_TIMEOUT(current->unacknowledged_count(), std::uint64_t{1}, kPatience);
        fixture.window.show_page(QStringLiteral("alerts"));
        auto* table = named<TableView>(fixture.window, QStringLiteral("Alerts"));
        QTRY_COMPARE_WITH_TIMEOUT(table->model()->rowCount(), 1, kPatience);
        fixture.press(QStringLiteral("Acknowledge…"));
        auto* dialog = fixture.window.findChild<AcknowledgeDialog*>();
        QVERIFY(dialog);
        QSignalSpy finished(dialog, &AcknowledgeDialog::finished_run);
        primary(*dialog)->click();
        QVERIFY(finished.wait(kPatience));
        QTRY_COMPARE_WITH_TIMEOUT(current->unacknowledged_count(), std::uint64_t{0}, kPatience);
        QCOMPARE(current->firing_count(), std::uint64_t{1});
        const auto listed = service.cli_json({"alerts"})["alerts"].toArray();
        QCOMPARE(listed.size(), 1);
        QVERIFY(!listed.first().toObject()["acknowledged_by"].toString().isEmpty());
    }

    void what_was_resolved_lately_stays_in_sight() {
        Service service;
        QVERIFY(service.start());
        LiveFixture fixture(service);
        QVERIFY(add_rule(service) && allocate(service));
        fixture.window.show_page(QStringLiteral("alerts"));
        auto* current = fixture.window.findChild<CurrentAlerts*>();
        QTRY_COMPARE_WITH_TIMEOUT(current->firing().size(), std::size_t{1}, kPatience);
        QCOMPARE(service.cli({"cleanup", "--all-eligible", "--no-quarantine"}).status, 0);
        QTRY_VERIFY_WITH_TIMEOUT(current->firing().empty() && current->alerts().size() == 1,
                                 kPatience);
        QCOMPARE(current->alerts().front().state, Alert::State::resolved);
    }

    void operations_are_timed_without_asking_the_manager() {
        Service service;
        QVERIFY(service.start());
        QVERIFY(allocate(service));
        LiveFixture fixture(service);
        QTRY_VERIFY_WITH_TIMEOUT(
            fixture.workspace.timings().since_start(layout::Timed::allocate).count > 0, kPatience);
    }

    void a_segment_of_another_program_is_found_on_the_host() {
        const auto name = QStringLiteral("monitor_test_%1").arg(::getpid());
        const auto path = (u'/' + name).toStdString();
        const int fd = ::shm_open(path.c_str(), O_CREAT | O_RDWR, 0600);
        QVERIFY(fd >= 0);
        Service service;
        QVERIFY(service.start());
        LiveFixture fixture(service);
        auto* page = fixture.window.findChild<HostPage*>();
        QSignalSpy surveyed(page, &HostPage::surveyed);
        fixture.window.show_page(QStringLiteral("host"));
        const bool looked = surveyed.wait(kPatience);
        page->set_filter_text(name);
        const int found = page->table().model()->rowCount();
        // We have it open: it must not go.
        const auto refused = LiveSurvey().rehearse({name.toStdString()});
        ::close(fd);
        QCOMPARE(::shm_unlink(path.c_str()), 0);
        QVERIFY(looked);
        QCOMPARE(found, 1);
        QVERIFY(refused && refused->size() == 1 && !refused->front().removable);
    }

    void another_segment_that_has_taken_the_name_is_left_alone() {
        // A number of a running process in the name would be an objection.
        std::string name = "monitor_exchanged_";
        for (auto number = ::getpid(); number > 0; number /= 10)
            name += static_cast<char>('a' + number % 10);
        const auto make = [&] {
            const int fd = ::shm_open(('/' + name).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
            return fd >= 0 && ::close(fd) == 0;
        };
        const auto plan = [&] { return LiveSurvey().rehearse({name}); };
        QVERIFY(make());
        const auto first = plan();
        QCOMPARE(::shm_unlink(('/' + name).c_str()), 0);
        QVERIFY(make());
        const auto left = LiveSurvey().clean({first->front().segment});
        const auto second = plan();
        const auto gone = LiveSurvey().clean({second->front().segment});
        (void)::shm_unlink(('/' + name).c_str());
        QVERIFY(first->front().removable && second->front().removable);
        QVERIFY(!left->front().removed);
        QVERIFY(gone->front().removed);
    }
};

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestLiveMonitoring)
#include "tst_live_monitoring.moc"
