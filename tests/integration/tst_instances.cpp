// SPDX-License-Identifier: MIT
#include <QDirIterator>
#include <QFileInfo>
#include <QJsonArray>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

class Instances : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_second_manager_of_an_instance_names_the_first();
    void a_killed_manager_does_not_keep_the_next_from_starting();
    void two_instances_side_by_side_do_not_see_each_other();
    void directories_have_their_mode_whatever_the_umask();
    void a_manager_that_a_client_started_keeps_no_directory_busy();
};

void Instances::a_second_manager_of_an_instance_names_the_first() {
    Service service;
    QVERIFY(service.start());
    const auto second = service.cli({"serve", "--json"});
    QCOMPARE(second.status, 1);
    QCOMPARE(second.error().value("code").toString(), "instance_in_use");
    QVERIFY2(second.err.contains(QString::number(service.pid())), qPrintable(second.err));
    QCOMPARE(service.cli({"status"}).status, 0);  // the first serves on
}

void Instances::a_killed_manager_does_not_keep_the_next_from_starting() {
    Service service;
    for (int i = 0; i < 5; ++i) {
        QVERIFY(service.start());
        service.kill();
    }
    QVERIFY(service.start());
}

void Instances::two_instances_side_by_side_do_not_see_each_other() {
    const auto host = std::make_shared<TestHost>();
    Service red(host, "red");
    Service blue(host, "blue");
    QVERIFY(red.start());
    QVERIFY(blue.start());
    const auto id = red.cli_json({"allocate", "4096"}).value("id").toString();
    QVERIFY(!id.isEmpty());
    QCOMPARE(blue.cli_json({"list"}).value("regions").toArray().size(), 0);
    QCOMPARE(blue.cli({"info", id}).status, 1);
    QCOMPARE(blue.cli({"deallocate", id}).status, 1);
    QCOMPARE(blue.cli_json({"cleanup", "--all-eligible"}).value("removed").toInteger(), 0);
    QVERIFY(!blue.cli({"events"}).out.contains(id));

    // The option chooses, whatever the environment says.
    QCOMPARE(blue.cli({"info", id, "--instance", "red"}).status, 0);

    // One that starts anew leaves the other's segments alone.
    QVERIFY(blue.restart_after_kill());
    QCOMPARE(red.cli({"info", id}).status, 0);
    QCOMPARE(host->segments().size(), 1);
    QCOMPARE(red.cli({"deallocate", id}).status, 0);
}

void Instances::directories_have_their_mode_whatever_the_umask() {
    const auto host = std::make_shared<TestHost>();
    const auto program = QCoreApplication::applicationDirPath() + "/snakepit-shm";
    auto environment = host->environment("test");
    environment.insert("XDG_CONFIG_HOME", host->path("new/config"));
    environment.insert("SNAKEPIT_PROGRAM", program);
    const auto run = [&](const QString& words) {
        return std::make_unique<Peer>(
            "sh", QStringList{"-c", "umask 0177; exec \"$SNAKEPIT_PROGRAM\" " + words},
            environment);
    };
    // One that is made by hand comes first: it makes directories for the file.
    QCOMPARE(run("config set max_regions 30")->wait().status, 0);
    auto service = run("serve");
    QVERIFY(service->line().contains("serving instance"));
    const auto id = run("allocate 4096 --durable --json")->wait().json().value("id").toString();
    QVERIFY(!id.isEmpty());
    QStringList seen;
    for (const auto* place : {"runtime", "state", "new"})
        for (QDirIterator entry(host->path(place), QDir::Dirs | QDir::NoDotAndDotDot,
                                QDirIterator::Subdirectories);
             entry.hasNext();) {
            const auto path = entry.next();
            seen << path.section('/', -1);
            const auto owner = QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner;
            QVERIFY2((QFile::permissions(path) & owner) == owner, qPrintable(path));
        }
    for (const auto* name : {"test", "leases", "durable", "snakepit-shm"})
        QVERIFY2(seen.contains(name), qPrintable(seen.join(' ')));
    service->end(SIGTERM);
}

// Relative paths in its environment stay what they were where the client works.
void Instances::a_manager_that_a_client_started_keeps_no_directory_busy() {
    const auto host = std::make_shared<TestHost>();
    QVERIFY(QDir(host->path("")).mkpath("work"));
    auto environment = host->environment("test");
    environment.insert("SNAKEPIT_SHM_AUTOSTART", "1");
    environment.insert("SNAKEPIT_SHM_RUNTIME_DIR", "run");
    environment.insert("SNAKEPIT_SHM_STATE_DIR", "state");
    environment.insert("SNAKEPIT_WORK", host->path("work"));
    environment.insert("SNAKEPIT_PROGRAM",
                       QCoreApplication::applicationDirPath() + "/snakepit-shm");
    const auto in_work = [&](const QString& words) {
        return Peer("sh", {"-c", "cd \"$SNAKEPIT_WORK\" && exec \"$SNAKEPIT_PROGRAM\" " + words},
                    environment)
            .wait();
    };
    const auto made = in_work("allocate 4096 --json");
    QVERIFY2(!made.json().value("id").toString().isEmpty(), qPrintable(made.err));
    const auto pid = in_work("status --json").json().value("pid").toInteger();
    QVERIFY(pid > 0);
    QCOMPARE(QFileInfo(QString("/proc/%1/cwd").arg(pid)).symLinkTarget(), "/");
    QVERIFY(QFile::exists(host->path("work/run/control.sock")));
    QCOMPARE(::kill(static_cast<pid_t>(pid), SIGTERM), 0);
    QTRY_VERIFY_WITH_TIMEOUT(!QFile::exists(QString("/proc/%1/exe").arg(pid)), kPatienceMs);
}

QTEST_GUILESS_MAIN(Instances)
#include "tst_instances.moc"
