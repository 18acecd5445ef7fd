// SPDX-License-Identifier: MIT
// What a real service measures of itself: samples, percentiles, who uses what, and the history that
// outlives it.
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "client/manager_client.h"
#include "layout/metrics.h"
#include "layout/registry_reader.h"
#include "service_fixture.h"
#include "telemetry/metrics_reader.h"

using namespace snakepit::shm;
using layout::Sample;
using layout::Timed;
using test::Peer;

namespace {

constexpr int kBatchMs = 30'000;  // a batch of samples is written every ten seconds

}  // namespace

class PerformanceHistory : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void work_that_was_done_is_in_samples_and_stats();
    void a_manager_that_was_killed_leaves_a_history_without_a_hole();
    void a_full_disk_stops_only_the_recording();
    void without_performance_monitoring_there_are_no_samples();

  private:
    std::string file(const QString& directory, const char* name) const {
        return (directory + "/" + name).toStdString();
    }
    std::string metrics() const {
        return file(service_->host().state_dir(service_->instance()), "metrics.db");
    }
    RegistryReader registry() const {
        auto opened = RegistryReader::open(
            file(service_->host().runtime_dir(service_->instance()), "registry"));
        if (!opened) qFatal("%s", opened.error().sentence().c_str());
        return std::move(*opened);
    }
    Sample last_sample() const {
        const auto all = registry().samples(0);
        return all.empty() ? Sample{} : all.back();
    }
    QJsonValue operation(const QString& name) const {
        for (const QJsonValue one : service_->cli_json({"stats"}).value("operations").toArray())
            if (one["operation"].toString() == name) return one;
        return {};
    }

    std::unique_ptr<test::Service> service_;
};

void PerformanceHistory::init() {
    service_ = std::make_unique<test::Service>();
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
}

void PerformanceHistory::work_that_was_done_is_in_samples_and_stats() {
    auto connected = ManagerClient::connect();
    QVERIFY(connected.has_value());
    auto& client = **connected;
    QVERIFY(client.announce("w7", "pool", "session-7"));
    const auto id = client.allocate(100'000);
    QVERIFY(id.has_value());
    constexpr int kMaps = 5'000;
    for (int i = 0; i < kMaps; ++i) {
        const auto mapped = client.map(*id, AccessMode::read_write);
        QVERIFY(mapped && client.unmap(*mapped));
    }
    RegionOptions asks;  // each of them asks the manager, which measures it
    asks.placement = Placement::pooled;
    for (int i = 0; i < 20; ++i) {
        const auto gone = client.allocate(1000, asks);
        QVERIFY(gone && client.deallocate(*gone).value_or(false));
    }
    QVERIFY(!client.allocate(1ULL << 40));
    const auto other = ManagerClient::connect();
    const auto held = client.lock(*id, AccessMode::read_write, 0);
    QVERIFY(held.has_value());
    std::thread waiter([&] {
        if (const auto got = (*other)->lock(*id, AccessMode::read_write, 60'000))
            (void)(*other)->unlock(*id, got->token);
    });
    QTRY_COMPARE_WITH_TIMEOUT(last_sample().lock_waiters, std::uint64_t{1}, test::kPatienceMs);
    QVERIFY(client.unlock(*id, held->token));
    waiter.join();

    QTRY_VERIFY_WITH_TIMEOUT(last_sample().timed[std::size_t(Timed::lock_wait)].count == 1,
                             test::kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(last_sample().timed[std::size_t(Timed::recorder_lag)].count > 20,
                             test::kPatienceMs);
    const auto sample = last_sample();
    QCOMPARE(sample.regions, std::uint64_t{1});
    QCOMPARE(sample.references, std::uint64_t{1});
    QCOMPARE(sample.idle_regions, std::uint64_t{0});
    QVERIFY(sample.takes >= kMaps);
    QCOMPARE(sample.allocations, std::uint64_t{21});
    QCOMPARE(sample.deallocations, std::uint64_t{20});
    QCOMPARE(sample.allocation_failures, std::uint64_t{1});
    QCOMPARE(sample.timed[std::size_t(Timed::allocate)].count, std::uint64_t{21});
    QCOMPARE(sample.timed[std::size_t(Timed::cleanup)].count, std::uint64_t{20});
    for (const auto what : {Timed::map, Timed::unmap}) {
        const auto& times = sample.timed[std::size_t(what)];
        QVERIFY2(times.count >= kMaps / 256, qPrintable(QString::number(times.count)));
        QVERIFY(times.p50 <= times.p90 && times.p90 <= times.p99 && times.p99 <= times.p999);
        QVERIFY(times.p50 < 1'000'000);  // it asked nobody
    }
    QVERIFY(sample.arenas >= 1 && sample.arena_span >= 100'000 && sample.max_regions > 0);
    QVERIFY(sample.database_bytes > 0 && sample.recorder_writable == 1);
    QVERIFY(sample.service_cpu > 0 && sample.longest_turn > 0);
    QVERIFY(sample.longest_turn < 1'000'000);

    QCOMPARE(operation("allocate")["total"]["count"].toInt(), 21);
    QVERIFY(operation("map")["total"]["p50"].toInt() > 0);
    QTRY_COMPARE_WITH_TIMEOUT(
        service_->cli_json({"stats"}).value("sessions")[0]["references"].toInt(), 1, kBatchMs);
    const auto stats = service_->cli_json({"stats"});
    QCOMPARE(stats.value("sessions")[0]["name"].toString(), "session-7");
    QCOMPARE(stats.value("workers")[0]["name"].toString(), "w7");
    QCOMPARE(stats.value("workers")[0]["allocations"].toInt(), 21);
    QCOMPARE(stats.value("users")[0]["bytes"].toInt(), 100'000);
    QCOMPARE(stats.value("error_codes")["size_exceeds_limit"].toInt(), 1);
    QVERIFY(stats.value("allocation_times")["p99"].toDouble() > 0);
    const auto shown = service_->cli({"stats"}).out;
    for (const char* words : {"LAST 10 SECONDS", "allocate", "SESSION", "w7", "size_exceeds_limit"})
        QVERIFY2(shown.contains(words), qPrintable(shown));
}

void PerformanceHistory::a_manager_that_was_killed_leaves_a_history_without_a_hole() {
    QVERIFY(service_->cli({"allocate", "64KiB"}).status == 0);
    QTRY_VERIFY_WITH_TIMEOUT(registry().samples(0).size() >= 4, test::kPatienceMs);
    QCOMPARE(service_->kill(), -SIGKILL);
    const auto left = registry().samples(0);
    QVERIFY(service_->start());
    MetricsReader reader(metrics());
    const auto there = [&](Timestamp time) {
        const auto points = reader.points("regions", time, {time.micros + 1});
        return points && points->size() == 1;
    };
    for (const auto& sample : left) QTRY_VERIFY_WITH_TIMEOUT(there({sample.time}), kBatchMs);
    // And goes on with what the next one samples.
    QTRY_VERIFY_WITH_TIMEOUT(last_sample().seq > left.back().seq + 1, test::kPatienceMs);
    const auto next = last_sample();
    QTRY_VERIFY_WITH_TIMEOUT(there({next.time}), kBatchMs);
    const auto shown = service_->cli({"stats", "--history", "regions", "--since", "10m", "--json"});
    QCOMPARE(shown.status, 0);
    const auto points = shown.json().value("points").toArray();
    QVERIFY(!points.isEmpty());
    for (qsizetype i = 1; i < points.size(); ++i)
        QCOMPARE(from_rfc3339(points[i]["time"].toString().toStdString())->micros,
                 from_rfc3339(points[i - 1]["time"].toString().toStdString())->micros +
                     points[i - 1]["seconds"].toInteger() * 1'000'000);
    QCOMPARE(points.last()["avg"].toDouble(), 1.0);
    QCOMPARE(service_->stop(), 0);
    // Without a manager the history is still there to be read.
    QVERIFY(service_->cli({"stats", "--history", "regions"}).out.contains("SECONDS"));
    QCOMPARE(service_->cli({"stats", "--history", "regoins"}).status, 2);
}

// In a mount namespace of its own the service finds a file system of 4 MiB at its state directory.
void PerformanceHistory::a_full_disk_stops_only_the_recording() {
    QCOMPARE(service_->stop(), 0);
    const QStringList spaces = ::geteuid() == 0 ? QStringList{"-m"} : QStringList{"-U", "-r", "-m"};
    const auto environment = service_->host().environment(service_->instance());
    if (Peer("unshare", spaces + QStringList{"true"}, environment).wait().status != 0)
        QSKIP("this machine lets nobody have mounts of their own: no small file system to try");
    const auto state = service_->host().state_dir(service_->instance());
    Peer serve("unshare",
               spaces + QStringList{"sh", "-c",
                                    QString("mount -t tmpfs -o size=4m,mode=700 none %1 && exec "
                                            "%2/snakepit-shm serve")
                                        .arg(state, QCoreApplication::applicationDirPath())},
               environment);
    QVERIFY(serve.line().contains("serving instance"));
    const auto recording = [&] {
        return service_->cli_json({"status"}).value("metrics").toObject();
    };
    QTRY_VERIFY_WITH_TIMEOUT(recording().value("recorded").toInt() > 0, kBatchMs);
    QFile filler(QString("/proc/%1/root%2/filler").arg(serve.pid()).arg(state));
    QVERIFY2(filler.open(QIODevice::WriteOnly | QIODevice::Unbuffered),
             qPrintable(filler.errorString()));
    while (filler.write(QByteArray(4096, 'x')) > 0) {
    }
    QTRY_VERIFY_WITH_TIMEOUT(!recording().value("problem").toString().isEmpty(), kBatchMs);
    QVERIFY2(recording().value("problem").toString().contains("full"),
             qPrintable(recording().value("problem").toString()));
    QVERIFY(!recording().value("writable").toBool());
    QCOMPARE(service_->cli({"allocate", "64KiB"}).status, 0);  // the service goes on
    const auto before = last_sample().seq;
    QTRY_VERIFY_WITH_TIMEOUT(last_sample().seq > before, test::kPatienceMs);
    const auto recorded = recording().value("recorded").toInt();
    filler.close();
    QVERIFY(filler.remove());
    QTRY_VERIFY_WITH_TIMEOUT(recording().value("recorded").toInt() > recorded, kBatchMs);
    QVERIFY(recording().value("problem").toString().isEmpty());
    QCOMPARE(recording().value("lost").toInt(), 0);
    serve.end(SIGTERM);
}

void PerformanceHistory::without_performance_monitoring_there_are_no_samples() {
    QTRY_VERIFY_WITH_TIMEOUT(last_sample().seq > 0, test::kPatienceMs);
    service_->host().configure("performance_monitoring = false");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    const auto before = last_sample().seq;
    const auto heartbeat = registry().heartbeat();
    QTRY_VERIFY_WITH_TIMEOUT(registry().heartbeat().micros > heartbeat.micros + 2'000'000,
                             test::kPatienceMs);
    QCOMPARE(last_sample().seq, before);
}

QTEST_GUILESS_MAIN(PerformanceHistory)
#include "tst_performance_history.moc"
