// SPDX-License-Identifier: MIT
// Two separate Python programs share a quarter of a gigabyte; one of them and the manager are
// killed.
#include <QJsonArray>
#include <QtTest>

#include <algorithm>

#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

constexpr qint64 kSize = 256LL << 20;

QJsonObject region(const Service& service, const QString& id) {
    return service.cli_json({"info", id});
}

bool holds(const QJsonObject& region, qint64 pid) {
    const auto references = region.value("references").toArray();
    return std::any_of(references.begin(), references.end(), [pid](const QJsonValue& reference) {
        return reference["pid"].toInteger() == pid && reference["count"].toInteger() > 0;
    });
}

}  // namespace

class RealInput : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void two_programs_share_data_and_outlive_kills();
};

void RealInput::two_programs_share_data_and_outlive_kills() {
    Service service;
    QVERIFY(service.start());

    const auto producer = service.python("producer.py", {QString::number(kSize)});
    const auto told = producer->line().split(' ');
    QCOMPARE(told.size(), 2);
    const auto id = told[0];
    const auto sum = told[1];
    QVERIFY(sum.toDouble() > 0);

    // A second program sums the same bytes: mapped shared, read-only, nothing copied.
    const auto consumer = service.python("consumer.py", {id});
    QCOMPARE(consumer->line(), sum + " True False");
    QCOMPARE(producer->ask("write"), "written");
    QCOMPARE(consumer->ask("first"), "42.0");
    const auto sum_now = producer->ask("sum");

    // Both are listed as holders.
    QJsonObject listed;
    QTRY_VERIFY_WITH_TIMEOUT(
        (listed = service.cli_json({"list"}).value("regions").toArray().first().toObject(),
         holds(listed, producer->pid()) && holds(listed, consumer->pid())),
        kPatienceMs);
    QCOMPARE(listed.value("id").toString(), id);
    QCOMPARE(listed.value("size").toInteger(), kSize);
    const auto count_with_both = listed.value("reference_count").toInteger();

    // The second is killed: its reference is gone, and only its.
    consumer->end(SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT((listed = region(service, id), !holds(listed, consumer->pid())),
                             kPatienceMs);
    QVERIFY(holds(listed, producer->pid()));
    const auto count = listed.value("reference_count").toInteger();
    QCOMPARE(count, count_with_both - 1);

    // The manager is killed: the first program goes on without one, and with the next one.
    service.kill();
    QCOMPARE(producer->ask("sum"), sum_now);
    QCOMPARE(producer->ask("map-again"), "True 0");
    QVERIFY(service.start());
    QCOMPARE(producer->ask("count"), QString::number(count));
    QCOMPARE(region(service, id).value("reference_count").toInteger(), count);
    QCOMPARE(producer->ask("sum"), sum_now);
    QVERIFY(holds(region(service, id), producer->pid()));

    // And when it ends, the memory is given back.
    QVERIFY(!service.host().segments().isEmpty());
    QCOMPARE(producer->ask("end"), "ended");
    QCOMPARE(producer->wait().status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(service.cli_json({"list"}).value("regions").toArray().isEmpty(),
                             kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(service.host().segments().isEmpty(), kPatienceMs);
    QCOMPARE(service.stop(), 0);
}

QTEST_GUILESS_MAIN(RealInput)
#include "tst_real_input.moc"
