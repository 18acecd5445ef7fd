// SPDX-License-Identifier: MIT
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

QTEST_GUILESS_MAIN(Instances)
#include "tst_instances.moc"
