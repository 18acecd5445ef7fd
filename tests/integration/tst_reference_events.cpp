// SPDX-License-Identifier: MIT
// Who held a region, and when: `references` events of a real manager.
#include <QJsonArray>
#include <QtTest>

#include <deque>

#include "base/time.h"
#include "client/manager_client.h"
#include "keeper.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;
using test::Service;

class ReferenceEvents : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void a_map_and_an_unmap_are_recorded_with_who_did_it();
    void one_that_gives_back_while_another_takes_is_a_change();
    void a_region_has_one_row_a_second_at_most();
    void holders_that_have_no_room_are_counted();
    void a_change_before_a_kill_is_recorded_once_after_it();
    void a_program_that_dies_is_recorded_as_gone();

  private:
    QJsonArray rows() const {
        return service_->cli_json({"events", "--region", id_, "--kind", "references"})
            .value("events")
            .toArray();
    }
    QJsonObject newest() const {
        const auto all = rows();
        return all.isEmpty() ? QJsonObject() : all.last().toObject()["detail"].toObject();
    }
    int count() const { return newest()["count"].toInt(-1); }
    std::unique_ptr<ManagerClient> client() const {
        auto made = ManagerClient::connect({.timeout_ms = kPatienceMs});
        return made ? std::move(*made) : nullptr;
    }
    RegionId region() const { return *RegionId::parse(id_.toStdString()); }

    std::unique_ptr<Service> service_;
    QString id_;
};

void ReferenceEvents::init() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
    id_ = service_->cli_json({"allocate", "4096"}).value("id").toString();
    QVERIFY(!id_.isEmpty());
}

void ReferenceEvents::cleanup() {
    service_.reset();
}

void ReferenceEvents::a_map_and_an_unmap_are_recorded_with_who_did_it() {
    const auto before = now();
    auto one = client();
    const auto mapping = one->map(region(), AccessMode::read_write);
    QVERIFY(mapping.has_value());
    QTRY_COMPARE_WITH_TIMEOUT(count(), 1, kPatienceMs);
    const auto holders = newest()["holders"].toArray();
    QCOMPARE(holders.size(), 1);
    const auto holder = holders[0].toObject();
    QCOMPARE(holder["pid"].toInteger(), QCoreApplication::applicationPid());
    QCOMPARE(holder["process"].toString(), QString("tst_reference_events").left(15));
    QCOMPARE(holder["count"].toInt(), 1);
    QVERIFY(holder["read_only"].isBool() && !holder["read_only"].toBool());
    const auto started = from_rfc3339(holder["started"].toString().toStdString());
    QVERIFY(started && *started < before && before.micros - started->micros < 600'000'000);

    QVERIFY(one->unmap(*mapping));
    QTRY_COMPARE_WITH_TIMEOUT(count(), 0, kPatienceMs);
    QVERIFY(newest()["holders"].isArray() && newest()["holders"].toArray().isEmpty());
    QVERIFY(service_->cli({"events", "--kind", "references"}).out.contains(id_));
}

void ReferenceEvents::one_that_gives_back_while_another_takes_is_a_change() {
    auto one = client(), other = client();
    const auto written = one->map(region(), AccessMode::read_write);
    QVERIFY(written.has_value());
    QTRY_COMPARE_WITH_TIMEOUT(count(), 1, kPatienceMs);
    const auto seen = rows().size();
    const auto read = other->map(region(), AccessMode::read_only);
    QVERIFY(read && one->unmap(*written));
    QTRY_VERIFY_WITH_TIMEOUT(rows().size() > seen && count() == 1, kPatienceMs);
    QVERIFY(newest()["holders"][0]["read_only"].toBool());
}

void ReferenceEvents::a_region_has_one_row_a_second_at_most() {
    auto one = client();
    const auto end = monotonic_nanos() + 3'500'000'000;
    std::deque<MappedRegion> held;
    while (monotonic_nanos() < end) {
        const auto mapping = one->map(region(), AccessMode::read_write);
        QVERIFY(mapping.has_value());
        held.push_back(*mapping);
        QTest::qWait(20);
    }
    QTRY_COMPARE_WITH_TIMEOUT(count(), static_cast<int>(held.size()), kPatienceMs);
    std::int64_t last = 0;
    for (const auto& row : rows()) {
        const auto at = from_rfc3339(row.toObject()["time"].toString().toStdString())->micros;
        QVERIFY2(at - last >= 990'000, qPrintable(QString::number(at - last)));
        last = at;
    }
    QVERIFY(rows().size() >= 3);
}

void ReferenceEvents::holders_that_have_no_room_are_counted() {
    constexpr int kClients = 40;
    std::vector<std::unique_ptr<ManagerClient>> clients;
    for (int i = 0; i < kClients; ++i) {
        clients.push_back(client());
        QVERIFY(clients.back()->map(region(), AccessMode::read_only).has_value());
    }
    QTRY_COMPARE_WITH_TIMEOUT(count(), kClients, kPatienceMs);
    const auto detail = newest();
    const auto named = detail["holders"].toArray().size();
    QVERIFY(named >= 10);  // they have much in common
    QCOMPARE(named + detail["more"].toInt(), kClients);
}

void ReferenceEvents::a_change_before_a_kill_is_recorded_once_after_it() {
    auto one = client();
    const auto first = one->map(region(), AccessMode::read_write);
    QTRY_COMPARE_WITH_TIMEOUT(count(), 1, kPatienceMs);
    // Within a second of the row above: it waits for its turn, and the manager does not live so
    // long.
    const auto second = one->map(region(), AccessMode::read_write);
    QVERIFY(first && second);
    QVERIFY(service_->restart_after_kill());
    QTRY_COMPARE_WITH_TIMEOUT(count(), 2, kPatienceMs);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(one->info(region()).has_value());
    QJsonObject before;
    for (const auto& row : rows()) {
        const auto detail = row.toObject()["detail"].toObject();
        QVERIFY2(detail != before, "the same was recorded twice");
        before = detail;
    }
    QCOMPARE(count(), 2);
}

void ReferenceEvents::a_program_that_dies_is_recorded_as_gone() {
    Peer keeper(QCoreApplication::applicationFilePath(), {"keeper", id_},
                service_->host().environment(service_->instance()));
    QCOMPARE(keeper.line(), "ok");
    const auto pid = keeper.pid();
    QTRY_COMPARE_WITH_TIMEOUT(newest()["holders"][0]["pid"].toInteger(-1), pid, kPatienceMs);
    keeper.end(SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(count(), 0, kPatienceMs);
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "keeper") return run_keeper(argv[2]);
    QCoreApplication application(argc, argv);
    ReferenceEvents test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_reference_events.moc"
