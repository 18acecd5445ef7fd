// SPDX-License-Identifier: MIT
// What scripts rely on where no manager runs.
#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {
const QString kAnId = "shm_1700000000000000_0123456789abcdef";
}

class CliWithoutManager : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void commands_that_need_one_say_so_and_how_to_start_it_data();
    void commands_that_need_one_say_so_and_how_to_start_it();
    void commands_that_need_none_work_data();
    void commands_that_need_none_work();
    void a_broken_configuration_is_refused_with_file_line_and_column();
    void the_service_refuses_to_start_with_a_broken_configuration();
    void health_finds_a_directory_that_others_may_write();
    void health_finds_what_a_killed_manager_left();
    void health_says_that_no_manager_runs_and_that_this_is_no_fault();
    void help_explains_every_command();

  private:
    Service service_;
};

void CliWithoutManager::commands_that_need_one_say_so_and_how_to_start_it_data() {
    QTest::addColumn<QStringList>("words");
    for (const auto& words : QList<QStringList>{{"status"},
                                                {"top"},
                                                {"list"},
                                                {"info", kAnId},
                                                {"allocate", "1"},
                                                {"deallocate", kAnId},
                                                {"cleanup"},
                                                {"config", "reload"}})
        QTest::newRow(qPrintable(words.join(' '))) << words;
}

void CliWithoutManager::commands_that_need_one_say_so_and_how_to_start_it() {
    QFETCH(QStringList, words);
    const auto plain = service_.cli(words);
    QCOMPARE(plain.status, 3);
    QVERIFY2(plain.err.contains("snakepit-shm serve"), qPrintable(plain.err));
    const auto described = service_.cli(words << "--json");
    QCOMPARE(described.status, 3);
    QCOMPARE(described.error().value("type").toString(), "no_manager");
    QCOMPARE(described.out, QString());
}

void CliWithoutManager::commands_that_need_none_work_data() {
    QTest::addColumn<QStringList>("words");
    for (const auto& words : QList<QStringList>{
             {"version"}, {"help"}, {"config", "check"}, {"config", "show"}, {"health"}, {"host"}})
        QTest::newRow(qPrintable(words.join(' '))) << words;
}

void CliWithoutManager::commands_that_need_none_work() {
    QFETCH(QStringList, words);
    const auto plain = service_.cli(words);
    QVERIFY2(plain.status == 0, qPrintable(plain.out + plain.err));
    QVERIFY(!plain.out.isEmpty());
    QVERIFY(!service_.cli_json(words).isEmpty());
}

void CliWithoutManager::a_broken_configuration_is_refused_with_file_line_and_column() {
    Service service;
    service.host().configure("max_regions = \"many\"");
    for (const auto* command : {"check", "show"}) {
        const auto refused = service.cli({"config", command});
        QCOMPARE(refused.status, 1);
        const QRegularExpression place(QRegularExpression::escape(service.host().config_file()) +
                                       ":2:\\d+");
        QVERIFY2(place.match(refused.err).hasMatch(), qPrintable(refused.err));
    }
}

void CliWithoutManager::the_service_refuses_to_start_with_a_broken_configuration() {
    Service service;
    service.host().configure("max_regions = -1");
    const auto refused = service.cli({"serve", "--json"});
    QCOMPARE(refused.status, 1);
    QCOMPARE(refused.error().value("code").toString(), "configuration_invalid");
}

void CliWithoutManager::health_finds_a_directory_that_others_may_write() {
    Service service;
    const auto directory = service.host().state_dir(service.instance());
    QVERIFY(QDir().mkpath(directory));
    QVERIFY(QFile::setPermissions(directory, QFile::Permissions(0x7777)));
    const auto ill = service.cli({"health", "--json"});
    QCOMPARE(ill.status, 5);
    QCOMPARE(ill.json().value("healthy").toBool(), false);
    bool named = false;
    for (const auto& value : ill.json().value("checks").toArray()) {
        const auto check = value.toObject();
        if (check["name"] != "state_directory") continue;
        named = true;
        QCOMPARE(check["status"].toString(), "problem");
        QVERIFY(check["remedy"].toString().contains("chmod"));
    }
    QVERIFY(named);
}

void CliWithoutManager::health_finds_what_a_killed_manager_left() {
    Service service;
    QFile leftover(
        service.host().path(QString("segments/snakepit_%1_%2").arg(service.instance(), kAnId)));
    QVERIFY(leftover.open(QIODevice::WriteOnly));
    leftover.write(QByteArray(4096, 'x'));
    leftover.close();
    const auto ill = service.cli({"health"});
    QCOMPARE(ill.status, 5);
    QVERIFY(ill.out.contains("leftover_segments"));
}

void CliWithoutManager::health_says_that_no_manager_runs_and_that_this_is_no_fault() {
    const Service service;
    const auto shown = service.cli({"health"});
    QCOMPARE(shown.status, 0);
    static const QRegularExpression row("manager +not running +no manager runs");
    QVERIFY2(shown.out.contains(row), qPrintable(shown.out));
    const auto health = service.cli_json({"health"});
    QCOMPARE(health.value("healthy").toBool(), true);
    QStringList states;
    for (const auto& value : health.value("checks").toArray())
        if (value.toObject()["name"] == "manager") states << value.toObject()["status"].toString();
    QCOMPARE(states, QStringList{"not_running"});
}

void CliWithoutManager::help_explains_every_command() {
    const auto overview = service_.cli({"help"}).out;
    for (const auto* command :
         {"serve", "status", "top", "list", "info", "allocate", "deallocate", "cleanup", "events",
          "config", "health", "host", "demo", "version", "help"}) {
        QVERIFY2(overview.contains(command), command);
        const auto one = service_.cli({"help", command});
        QCOMPARE(one.status, 0);
        QCOMPARE(service_.cli({command, "--help"}).status, 0);
    }
    QVERIFY(!overview.contains("demo-worker"));
    QCOMPARE(service_.cli({"help", "nonsense"}).status, 2);
    QCOMPARE(service_.cli({}).status, 2);
}

QTEST_GUILESS_MAIN(CliWithoutManager)
#include "tst_cli_without_manager.moc"
