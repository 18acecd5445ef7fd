// SPDX-License-Identifier: MIT
// The audit with the real programs.
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include <unistd.h>

#include "audit_fixture.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr int kProblems = 5;

QString database(const Service& service) {
    return service.host().state_dir(service.instance()) + "/events.db";
}

bool edit(const Service& service, const std::string& sql) {
    return testing::edit(database(service).toStdString(), sql);
}

QByteArray contents(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

}  // namespace

class TestAuditService : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_history_is_verified_while_the_manager_runs_and_after_it();
    void a_manager_killed_again_and_again_leaves_a_clean_history();
    void the_first_bad_row_is_named_and_the_status_is_5();
    void a_key_that_others_can_read_is_refused_and_nothing_is_lost();
    void an_exported_report_is_verified_elsewhere();
    void a_report_is_signed_only_by_who_can_read_the_key();
    void each_access_to_an_audited_region_is_an_event();
    void an_audited_region_is_closed_while_nothing_can_be_recorded();
    void old_events_go_and_the_rest_is_still_proven();
};

void TestAuditService::a_history_is_verified_while_the_manager_runs_and_after_it() {
    Service service;
    QVERIFY(service.start());
    for (int i = 0; i < 5; ++i) QCOMPARE(service.cli({"allocate", "4096"}).status, 0);
    const auto running = service.cli({"audit", "verify", "--json"});
    QVERIFY2(running.status == 0, qPrintable(running.out + running.err));
    QVERIFY(running.json()["clean"].toBool());
    QCOMPARE(service.stop(), 0);
    const auto after = service.cli({"audit", "verify", "--json"});
    QCOMPARE(after.status, 0);
    QVERIFY(after.json()["rows"].toInt() > running.json()["rows"].toInt());
    QCOMPARE(after.json()["proven_last"].toInt(), after.json()["rows"].toInt());
    const auto key = service.host().state_dir(service.instance()) + "/audit.pub";
    QCOMPARE(QString(contents(key)).trimmed(), after.json()["key"].toString());
    QCOMPARE(service.cli({"audit", "verify", database(service), "--key", key}).status, 0);
    QCOMPARE(service.cli({"audit", "verify", "--key", QString(64, 'a')}).status, kProblems);
    QCOMPARE(service.cli({"audit", "verify", "--key", "nonsense"}).status, 2);
}

void TestAuditService::a_manager_killed_again_and_again_leaves_a_clean_history() {
    Service service;
    QVERIFY(service.start());
    // A history that was killed before its first row cannot be told from one that was taken away.
    QTRY_COMPARE_WITH_TIMEOUT(service.cli({"audit", "verify"}).status, 0, kPatienceMs);
    for (int i = 0; i < 12; ++i) {
        const auto busy = service.cli_peer({"allocate", "4096", "--count", "3000"});
        if (i % 3 != 0) QTest::qWait(i * 7);  // anywhere in its work; not to wait for something
        QCOMPARE(service.kill(), -SIGKILL);
        const auto verdict = service.cli({"audit", "verify", "--json"});
        QVERIFY2(verdict.status == 0, qPrintable(verdict.out + verdict.err));
        QVERIFY(service.start());
        busy->end();
        QCOMPARE(service.cli({"cleanup", "--all-eligible", "--json"}).status, 0);
    }
    QCOMPARE(service.stop(), 0);
    const auto verdict = service.cli({"audit", "verify", "--json"});
    QVERIFY2(verdict.status == 0, qPrintable(verdict.out));
    const auto noticed = service.cli_json({"events", "--kind", "rows_missing"});
    QCOMPARE(noticed["events"].toArray().size(), 0);
    QCOMPARE(service.cli_json({"events", "--kind", "audit_broken"})["events"].toArray().size(), 0);
}

void TestAuditService::the_first_bad_row_is_named_and_the_status_is_5() {
    Service service;
    QVERIFY(service.start());
    for (int i = 0; i < 4; ++i) QCOMPARE(service.cli({"allocate", "4096"}).status, 0);
    QCOMPARE(service.stop(), 0);
    QVERIFY(edit(service, "UPDATE events SET uid = uid + 1 WHERE seq = 3"));
    const auto changed = service.cli({"audit", "verify"});
    QCOMPARE(changed.status, kProblems);
    QVERIFY2(changed.out.startsWith("NOT genuine: row 3 was changed (recorded at "),
             qPrintable(changed.out));
    QVERIFY(edit(service, "UPDATE events SET uid = uid - 1 WHERE seq = 3"));
    QCOMPARE(service.cli({"audit", "verify"}).status, 0);
    QVERIFY(edit(service, "DELETE FROM events WHERE seq > 4; DELETE FROM checkpoints"));
    const auto cut = service.cli_json({"audit", "verify"});
    QCOMPARE(cut["findings"][0]["problem"].toString(), QString("tail_cut"));
    QCOMPARE(cut["findings"][0]["first"].toInt(), 5);
    // And the manager notices by itself.
    QVERIFY(service.start());
    const auto noticed = service.cli_json({"events", "--kind", "rows_missing"});
    QCOMPARE(noticed["events"].toArray().size(), 1);
}

void TestAuditService::a_key_that_others_can_read_is_refused_and_nothing_is_lost() {
    Service service;
    QVERIFY(service.start());
    const auto id = service.cli_json({"allocate", "4096"})["id"].toString();
    QCOMPARE(service.stop(), 0);
    const auto key = service.host().state_dir(service.instance()) + "/instance.key";
    QFile::setPermissions(key, QFile::ReadOwner | QFile::WriteOwner | QFile::ReadOther);
    const auto before = contents(key);
    const auto refused = service.cli({"serve"});
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.err.contains("instance.key can be read by other users"),
             qPrintable(refused.err));
    QCOMPARE(contents(key), before);
    QFile::setPermissions(key, QFile::ReadOwner | QFile::WriteOwner);
    QVERIFY(service.start());
    QCOMPARE(service.cli({"info", id}).status, 0);
    QCOMPARE(service.cli({"audit", "verify"}).status, 0);
}

void TestAuditService::an_exported_report_is_verified_elsewhere() {
    Service service;
    QVERIFY(service.start());
    QCOMPARE(service.cli({"allocate", "1MiB", "--count", "20"}).status, 0);
    QCOMPARE(service.cli({"info", "shm_0_0000000000000000"}).status != 0, true);
    for (const auto* format : {"csv", "json", "html"}) {
        const auto file = service.host().path(QString("report.") + format);
        const auto made =
            service.cli({"audit", "export", "--format", format, "-o", file, "--json"});
        QVERIFY2(made.status == 0, qPrintable(made.err));
        const auto key = made.json()["key"].toString();
        // Another instance, which knows nothing of the first.
        const Service elsewhere(std::make_shared<TestHost>(), "elsewhere");
        const auto verified = elsewhere.cli({"audit", "verify", file, "--key", key});
        QVERIFY2(verified.status == 0, qPrintable(verified.out + verified.err));
        QCOMPARE(elsewhere.cli({"audit", "verify", file, "--key", QString(64, 'b')}).status,
                 kProblems);
        QFile report(file);
        QVERIFY(report.open(QIODevice::ReadWrite));
        report.seek(100);
        report.write("#");
        report.close();
        QCOMPARE(elsewhere.cli({"audit", "verify", file, "--key", key}).status, kProblems);
    }
}

void TestAuditService::a_report_is_signed_only_by_who_can_read_the_key() {
    Service service;
    QVERIFY(service.start());
    QCOMPARE(service.stop(), 0);
    const auto state = service.host().state_dir(service.instance());
    QVERIFY(QFile::rename(state + "/instance.key", state + "/elsewhere"));
    const auto file = service.host().path("report.html");
    const auto refused = service.cli({"audit", "export", "-o", file});
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.err.contains("the report cannot be signed"), qPrintable(refused.err));
    QVERIFY(!QFile::exists(file));
}

void TestAuditService::each_access_to_an_audited_region_is_an_event() {
    Service service;
    QVERIFY(service.start());
    const auto id = service.cli_json({"allocate", "4096", "--audit"})["id"].toString();
    QVERIFY(service.cli_json({"info", id})["audit_access"].toBool());
    const auto count = [&](const QString& kind) {
        return service.cli_json({"events", "--kind", kind, "--region", id})["events"]
            .toArray()
            .size();
    };
    QTRY_COMPARE_WITH_TIMEOUT(count("accessed"), 1, kPatienceMs);  // by who allocated it
    QTRY_COMPARE_WITH_TIMEOUT(count("access_ended"), 1, kPatienceMs);
    for (int i = 2; i < 5; ++i) {
        QCOMPARE(service.cli({"read", id}).status, 0);
        QTRY_COMPARE_WITH_TIMEOUT(count("accessed"), i, kPatienceMs);
        QTRY_COMPARE_WITH_TIMEOUT(count("access_ended"), i, kPatienceMs);
    }
    const auto reads =
        service.cli_json({"events", "--kind", "accessed", "--region", id})["events"].toArray();
    QCOMPARE(reads.last()["detail"]["access"].toString(), QString("read_only"));
    QCOMPARE(reads.last()["uid"].toInteger(), qint64{::geteuid()});
    QCOMPARE(count("mapped"), 0);
}

void TestAuditService::an_audited_region_is_closed_while_nothing_can_be_recorded() {
    Service service;
    QVERIFY(service.start());
    const auto id = service.cli_json({"allocate", "4096", "--audit"})["id"].toString();
    const auto other = service.cli_json({"allocate", "4096"})["id"].toString();
    sqlite3* raw = nullptr;
    QCOMPARE(sqlite3_open(database(service).toStdString().c_str(), &raw), SQLITE_OK);
    const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> lock(raw, &sqlite3_close);
    sqlite3_busy_timeout(raw, 10'000);
    QCOMPARE(sqlite3_exec(raw, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    QTRY_COMPARE_WITH_TIMEOUT(service.cli({"read", id, "--json"}).error()["code"].toString(),
                              QString("audit_unavailable"), kPatienceMs);
    QCOMPARE(service.cli({"read", other}).status, 0);
    QVERIFY(service.cli({"read", id}).err.contains("locked"));
    QCOMPARE(sqlite3_exec(raw, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
    QTRY_COMPARE_WITH_TIMEOUT(service.cli({"read", id}).status, 0, kPatienceMs);
}

void TestAuditService::old_events_go_and_the_rest_is_still_proven() {
    auto host = std::make_shared<TestHost>();
    host->configure(
        "event_retention = \"1s\"\nmax_regions = 5000\nmax_regions_per_process = 5000\n");
    Service service(host);
    QVERIFY(service.start());
    QCOMPARE(service.cli({"allocate", "4096", "--count", "3000"}).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(
        service.cli_json({"audit", "verify"})["removed_up_to"].toInteger() > 1000, kPatienceMs);
    const auto verdict = service.cli({"audit", "verify", "--json"});
    QVERIFY2(verdict.status == 0, qPrintable(verdict.out));
    // It is recorded with the events that come next.
    QTRY_VERIFY_WITH_TIMEOUT(
        !service.cli_json({"events", "--kind", "events_removed"})["events"].toArray().isEmpty(),
        kPatienceMs);
}

QTEST_GUILESS_MAIN(TestAuditService)
#include "tst_audit_service.moc"
