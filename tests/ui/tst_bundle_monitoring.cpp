// SPDX-License-Identifier: GPL-3.0-or-later
// What a bundle shows of alerts and of the host it is from, and what it says where it has none.
#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include <QApplication>
#include <QFile>
#include <QJsonArray>
#include <QLineEdit>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "bundle_fixture.h"
#include "service_fixture.h"
#include "ui/dialogs/alert_rule_dialog.h"
#include "ui/models/alert_model.h"
#include "ui/models/alert_rule_model.h"
#include "ui/models/current_alerts.h"
#include "ui/models/moment.h"
#include "ui/models/settings.h"
#include "ui/pages/alert_rules_view.h"
#include "ui/pages/host_page.h"
#include "ui/pages/silences_view.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kPatience = 60'000;  // ms

// A System V segment that nobody uses; its number is what programs find it by.
class Segment {
  public:
    Segment() : id_(::shmget(key(), 4096, IPC_CREAT | IPC_EXCL | 0600)) {}
    Segment(const Segment&) = delete;
    Segment& operator=(const Segment&) = delete;
    ~Segment() {
        if (id_ >= 0) ::shmctl(id_, IPC_RMID, nullptr);
    }
    static key_t key() {
        return static_cast<key_t>(0x5A000000 + QCoreApplication::applicationPid());
    }
    QString name() const { return id_ < 0 ? QString() : QStringLiteral("sysv:%1").arg(id_); }

  private:
    int id_;
};

bool add_rule(const test::Service& service, const QByteArray& name, int regions) {
    QFile file(service.host().path(QStringLiteral("rule.json")));
    if (!file.open(QIODevice::WriteOnly | QIODevice::Truncate)) return false;
    file.write(R"({"name":")" + name + R"(","metric":"regions","comparison":">=","threshold":)" +
               QByteArray::number(regions) + R"(,"severity":"critical"})");
    file.close();
    return service.cli({"alerts", "rules", "set", file.fileName()}).status == 0;
}

int alerts_in(const test::Service& service, const char* state) {
    int count = 0;
    for (const auto& one : service.cli_json({"alerts", "--history"})["alerts"].toArray())
        count += one.toObject()["state"].toString() == QLatin1String(state) ? 1 : 0;
    return count;
}

}  // namespace

class TestBundleMonitoring : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void a_bundle_shows_what_fired_and_what_was_watched_for();
    void a_rule_can_be_tried_on_what_a_bundle_has_recorded();
    void a_bundle_shows_the_host_it_is_from();
    void what_a_bundle_lacks_is_said_where_it_would_be();

  private:
    QString bundle() const { return elsewhere_.filePath("bundle"); }

    QTemporaryDir elsewhere_;
    QString segment_;
};

void TestBundleMonitoring::initTestCase() {
    set_remembering(false);
    test::Service service;
    QVERIFY(service.start());
    const Segment segment;
    segment_ = segment.name();
    QVERIFY(!segment_.isEmpty());
    QVERIFY(add_rule(service, "one-region", 1) && add_rule(service, "two-regions", 2));
    QCOMPARE(service.cli({"allocate", "100KiB"}).status, 0);
    const auto second = service.cli_json({"allocate", "4KiB"}).value("id").toString();
    QTRY_COMPARE_WITH_TIMEOUT(alerts_in(service, "firing"), 2, kPatience);
    QCOMPARE(service.cli({"deallocate", second}).status, 0);
    QTRY_COMPARE_WITH_TIMEOUT(alerts_in(service, "resolved"), 1, kPatience);
    const auto firing = service.cli_json({"alerts"})["alerts"].toArray().first().toObject();
    const auto number = QString::number(firing["id"].toInteger());
    QCOMPARE(service.cli({"alerts", "ack", number, "--comment", "a comment"}).status, 0);
    QCOMPARE(service.cli({"alerts", "silence", "--rule", "two-regions", "--for", "2h"}).status, 0);
    QCOMPARE(service.cli({"diagnose", "-o", bundle()}).status, 0);
}

void TestBundleMonitoring::a_bundle_shows_what_fired_and_what_was_watched_for() {
    auto bundle_file = BundleReader::open(bundle().toStdString());
    QVERIFY(bundle_file);
    show_moment(bundle_file->manifest().created_at);
    BundleFixture fixture(*bundle_file);
    auto& page = fixture.alerts();
    auto& live = fixture.table("Alerts");
    QTRY_COMPARE_WITH_TIMEOUT(live.rowCount(), 2, kPatience);
    QCOMPARE(live.index(0, kAlertRule).data().toString(), "one-region");
    QCOMPARE(live.index(0, kAlertState).data().toString(), "firing");
    QCOMPARE(live.index(1, kAlertState).data().toString(), "resolved");
    const auto* current = fixture.window.findChild<CurrentAlerts*>();
    QCOMPARE(current->firing_count(), std::uint64_t{1});
    QCOMPARE(current->unacknowledged_count(), std::uint64_t{0});
    QCOMPARE(current->alerts().front().acknowledgement, "a comment");
    // Ages count from the bundle's moment, however long ago that is.
    show_moment(Timestamp{bundle_file->manifest().created_at.micros + 7'200'000'000});
    QVERIFY(live.index(0, kAlertSince).data().toString().endsWith(u'h'));
    QCOMPARE(fixture.enabled({"Acknowledge…", "Silence…"}), 0);

    page.show_view(AlertsPage::kHistory);
    auto& history = fixture.table("Alert history");
    QTRY_COMPARE_WITH_TIMEOUT(history.rowCount(), 2, kPatience);
    page.show_view(AlertsPage::kRules);
    auto& rules = fixture.table("Rules");
    QTRY_VERIFY_WITH_TIMEOUT(rules.rowCount() > 2, kPatience);
    page.findChild<AlertRulesView*>()->table()->selectRow(0);
    page.show_view(AlertsPage::kSilences);
    auto& silences = fixture.table("Silences");
    QTRY_COMPARE_WITH_TIMEOUT(silences.rowCount(), 1, kPatience);
    QCOMPARE(silences.index(0, kSilenceRule).data().toString(), "two-regions");
    page.findChild<SilencesView*>()->table()->selectRow(0);
    QCOMPARE(fixture.enabled({"Disable", "Enable", "Change…", "End silence"}), 0);
    QCOMPARE(fixture.enabled({"Test…"}), 1);
    show_moment({});
}

void TestBundleMonitoring::a_rule_can_be_tried_on_what_a_bundle_has_recorded() {
    auto bundle_file = BundleReader::open(bundle().toStdString());
    QVERIFY(bundle_file);
    AlertRule rule;
    rule.name = "allocations";
    rule.event = EventKind::allocated;
    rule.comparison = AlertComparison::at_least;
    rule.threshold = 1;
    const auto past = bundle_parts(*bundle_file).monitoring->backtest(rule, 3'600'000);
    QVERIFY2(past, past ? "" : past.error().sentence().c_str());
    QCOMPARE(past->firings.size(), std::size_t{1});
    QVERIFY(past->to <= bundle_file->manifest().created_at);

    BundleFixture fixture(*bundle_file);
    AlertRuleDialog dialog(fixture.workspace, rule, &fixture.window);
    dialog.setAttribute(Qt::WA_DeleteOnClose, false);
    QSignalSpy tried(&dialog, &AlertRuleDialog::backtested);
    QVERIFY(tried.wait(kPatience));
    named<QLineEdit>(dialog, QStringLiteral("Limit"))->setText(QStringLiteral("1000"));
    QVERIFY(tried.wait(kPatience));
    QVERIFY(named<QLabel>(dialog, QStringLiteral("Backtest"))->text().contains("0 times"));
    QVERIFY(!primary(dialog)->isEnabled());
}

void TestBundleMonitoring::a_bundle_shows_the_host_it_is_from() {
    auto bundle_file = BundleReader::open(bundle().toStdString());
    QVERIFY(bundle_file);
    BundleFixture fixture(*bundle_file);
    fixture.window.show_page(QStringLiteral("host"));
    auto& page = *fixture.window.findChild<HostPage*>();
    page.set_filter_text(segment_);
    auto& table = *named<TableView>(page, QStringLiteral("Segments of the host"));
    QTRY_COMPARE_WITH_TIMEOUT(table.model()->rowCount(), 1, kPatience);
    table.selectRow(0);
    const auto words = fixture.words();
    const auto key = QStringLiteral("key 0x%1").arg(Segment::key(), 8, 16, QLatin1Char('0'));
    QVERIFY2(words.contains(key) && words.contains("% confidence") &&
                 words.contains(QString::fromStdString(bundle_file->manifest().host)),
             qPrintable(words));
    // The segment is gone since; the bundle does not look again.
    QSignalSpy seconds(&fixture.workspace, &Workspace::second_passed);
    while (seconds.count() < 2) QVERIFY(seconds.wait(kPatience));
    QCOMPARE(table.model()->rowCount(), 1);
    QCOMPARE(fixture.enabled({"Clean up…"}), 0);
}

// As of an earlier release, or of an instance that nobody served.
void TestBundleMonitoring::what_a_bundle_lacks_is_said_where_it_would_be() {
    const auto old = elsewhere_.filePath("old");
    QVERIFY(QFile::copy(bundle(), old));
    {
        SQLite::Database archive(old.toStdString(), SQLite::OPEN_READWRITE);
        QCOMPARE(archive.exec("DELETE FROM sqlar WHERE name LIKE 'alert%' OR name IN ('host.json', "
                              "'performance.json')"),
                 6);
    }
    auto bundle_file = BundleReader::open(old.toStdString());
    QVERIFY2(bundle_file, bundle_file ? "" : bundle_file.error().sentence().c_str());
    BundleFixture fixture(*bundle_file);
    const auto says = [&fixture](const char* part) {
        const auto words = fixture.words();
        return words.contains("Not included in this bundle") &&
               words.contains(QStringLiteral("The bundle has no %1").arg(QLatin1String(part)));
    };
    auto& alerts = fixture.alerts();
    QTRY_VERIFY_WITH_TIMEOUT(says("alerts.json"), kPatience);
    alerts.show_view(AlertsPage::kHistory);
    QTRY_VERIFY_WITH_TIMEOUT(says("alert_history.json"), kPatience);
    alerts.show_view(AlertsPage::kRules);
    QTRY_VERIFY_WITH_TIMEOUT(says("alert_rules.json"), kPatience);
    alerts.show_view(AlertsPage::kSilences);
    QTRY_VERIFY_WITH_TIMEOUT(says("alert_silences.json"), kPatience);
    fixture.window.show_page(QStringLiteral("host"));
    QTRY_VERIFY_WITH_TIMEOUT(says("host.json"), kPatience);
    fixture.window.show_page(QStringLiteral("performance"));
    QTRY_VERIFY_WITH_TIMEOUT(says("performance.json"), kPatience);
}

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestBundleMonitoring)
#include "tst_bundle_monitoring.moc"
