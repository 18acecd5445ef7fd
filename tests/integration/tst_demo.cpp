// SPDX-License-Identifier: MIT
#include <QJsonArray>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

class Demo : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void its_workers_share_sound_data_and_leave_nothing_behind();
    void it_uses_the_manager_that_runs();
    void it_cleans_up_when_it_is_interrupted();
    void it_says_how_a_worker_ended_that_ended_early();
};

void Demo::its_workers_share_sound_data_and_leave_nothing_behind() {
    Service service;
    const auto demo = service.cli({"demo", "--workers", "3", "--seconds", "4", "--json"});
    QVERIFY2(demo.status == 0, qPrintable(demo.err));
    QVERIFY(demo.json().value("allocated").toInteger() >= 3);
    QVERIFY(demo.json().value("verified").toInteger() > 0);
    QVERIFY(demo.json().value("killed").toInteger() > 0);
    QCOMPARE(demo.json().value("corrupt").toInteger(-1), 0);
    QCOMPARE(demo.json().value("regions_left").toInteger(-1), 0);
    QCOMPARE(service.host().segments(), QStringList{});
    QCOMPARE(service.cli({"status"}).status, 3);  // the manager it started ended with it
}

void Demo::it_uses_the_manager_that_runs() {
    Service service;
    QVERIFY(service.start());
    const auto demo = service.cli({"demo", "--workers", "2", "--seconds", "1"});
    QVERIFY2(demo.status == 0, qPrintable(demo.err));
    QVERIFY(!demo.out.contains("serving instance"));
    QCOMPARE(service.cli_json({"list"}).value("regions").toArray().size(), 0);
}

void Demo::it_cleans_up_when_it_is_interrupted() {
    Service service;
    const auto demo = service.cli_peer({"demo", "--workers", "2", "--seconds", "600"});
    QVERIFY(demo->line().contains("serving instance"));
    QVERIFY(demo->line().contains("workers"));
    QVERIFY(!demo->line().isNull());  // of the first second
    QCOMPARE(demo->end(SIGINT).status, 0);
    QCOMPARE(service.host().segments(), QStringList{});
    QCOMPARE(service.cli({"status"}).status, 3);
}

void Demo::it_says_how_a_worker_ended_that_ended_early() {
    Service service;
    QVERIFY(service.start());
    const auto demo = service.cli_peer({"demo", "--workers", "2", "--seconds", "600"});
    QVERIFY(demo->line().contains("workers"));
    // One that the demo does not kill: the newest of its two children.
    const auto workers = [&] {
        QFile children(QString("/proc/%1/task/%1/children").arg(demo->pid()));
        return children.open(QIODevice::ReadOnly)
                   ? QString::fromLatin1(children.readAll()).split(' ', Qt::SkipEmptyParts)
                   : QStringList();
    };
    QTRY_COMPARE_WITH_TIMEOUT(workers().size(), 2, kPatienceMs);
    QCOMPARE(::kill(workers().first().toInt(), SIGKILL), 0);
    const auto ended = demo->wait();
    QCOMPARE(ended.status, 1);
    QVERIFY2(ended.err.contains("was ended by signal 9 (Killed)"), qPrintable(ended.err));
    const auto held = [&] { return service.cli_json({"list", "refs>0"})["regions"].toArray(); };
    QTRY_COMPARE_WITH_TIMEOUT(held().size(), 0, kPatienceMs);
}

QTEST_GUILESS_MAIN(Demo)
#include "tst_demo.moc"
