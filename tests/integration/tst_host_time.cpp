// SPDX-License-Identifier: MIT
// The history of the host by a real manager: what `host --at` prints of it, the alert of growth
// that is not released, and what Prometheus gets.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <QCoreApplication>
#include <QJsonArray>
#include <QtTest>

#include <cstring>
#include <iostream>
#include <string>

#include "host_history/history_schema.h"
#include "host_history/history_store.h"
#include "host_view.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr std::size_t kSize = 8 << 20;
constexpr std::int64_t kMinute = 60'000'000;  // microseconds
constexpr const char* kProgram = "grower";
constexpr const char* kOften = "host_history_interval = \"1s\"\n";

// The other process of this test: a program of this name with a segment.
int grow(const char* path) {
    ::prctl(PR_SET_NAME, kProgram);
    const int file = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, kSize) != 0) return 1;
    void* const data = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (data == MAP_FAILED) return 1;
    std::memset(data, 1, kSize);
    std::cout << "written" << std::endl;
    std::string line;
    std::getline(std::cin, line);
    return 0;
}

QJsonObject named(const QJsonObject& record, const QString& kind, const QString& name) {
    for (const auto& value : record[kind].toArray())
        if (value[u"name"].toString() == name) return value.toObject();
    return {};
}

}  // namespace

class HostTime : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { service_ = std::make_unique<Service>(); }
    void cleanup() { service_.reset(); }
    void what_was_there_is_printed_later();
    void a_program_that_gives_nothing_back_raises_an_alert();
    void names_are_exported_only_if_asked_for();
    void it_can_be_switched_off();

  private:
    std::unique_ptr<Peer> grower() const {
        return std::make_unique<Peer>(
            QCoreApplication::applicationFilePath(),
            QStringList{"--grow", service_->host().path("segments/growing")},
            service_->host().environment("test"));
    }
    QString database() const {
        return service_->host().state_dir(service_->instance()) + "/host_history.db";
    }
    // What is recorded of the program; now there may be no row of this minute yet.
    QJsonObject recorded(const QString& at = "0s") const {
        return named(service_->cli_json({"host", "--at", at}), "programs", kProgram);
    }

    Timestamp surveyed_at() const {
        for (const auto& value : service_->cli_json({"metrics"})["metrics"].toArray())
            if (value[u"name"].toString() == u"snakepit_shm_host_survey_timestamp_seconds")
                return {static_cast<std::int64_t>(value[u"value"].toDouble() * 1e6)};
        return {};
    }

    QString surveyed() const { return QString::fromStdString(to_rfc3339(surveyed_at())); }

    std::unique_ptr<Service> service_;
};

void HostTime::what_was_there_is_printed_later() {
    service_->host().configure(kOften);
    QVERIFY(service_->start());
    const auto program = grower();
    QCOMPARE(program->line(), "written");
    QTRY_COMPARE_WITH_TIMEOUT(recorded()["bytes"].toInteger(), qint64{kSize}, kPatienceMs);
    QTRY_VERIFY_WITH_TIMEOUT(surveyed_at().micros > 0, kPatienceMs);
    // It is told before it is written.
    const auto at = surveyed();
    QJsonObject record;
    QTRY_COMPARE_WITH_TIMEOUT(
        (record = service_->cli_json({"host", "--at", at}))["seconds"].toInt(), 60, kPatienceMs);
    QVERIFY(record["total"].toObject()["bytes"].toInteger() >= qint64{kSize});
    QVERIFY(record["processes"].toInt() > 0);
    QVERIFY(!record["users"].toArray().isEmpty() && !record["groups"].toArray().isEmpty());
    QVERIFY(!record["not_recorded"].toArray().isEmpty());
    const auto text = service_->cli({"host", "--at", at});
    QVERIFY2(text.out.contains(kProgram) && text.out.contains("8 MiB") &&
                 text.out.contains("note: Single segments"),
             qPrintable(text.out + text.err));

    // Its segment counts for it when it is gone.
    program->end(SIGKILL);
    const auto gone_at = now();
    QVERIFY(QTest::qWaitFor([&] { return surveyed_at() > gone_at; }, kPatienceMs));
    const auto later = surveyed();
    QTRY_COMPARE_WITH_TIMEOUT(recorded(later)["most_bytes"].toInteger(), qint64{kSize},
                              kPatienceMs);
    if (::geteuid() == 0 && QFile::exists("/proc/kpagecgroup")) {
        const auto survey =
            service_->cli_json({"host", "--shm-path", service_->host().path("segments")});
        const auto segment = segment_named(survey, "growing");
        QVERIFY(segment["users"].toArray().isEmpty());
        QCOMPARE(segment["payer"]["known_by"].toString(), "earlier");
        QVERIFY(!segment["payer"]["group"].toString().isEmpty());
    }
    // Without the manager, too.
    QCOMPARE(service_->stop(), 0);
    QCOMPARE(recorded(later)["most_bytes"].toInteger(), qint64{kSize});
    const auto before = service_->cli({"host", "--at", "2001-01-01T00:00:00Z"});
    QCOMPARE(before.status, 1);
    QVERIFY2(before.err.contains("nothing is recorded of 2001-01-01") &&
                 before.err.contains("the nearest records are of nothing and 2"),
             qPrintable(before.err));
    QCOMPARE(service_->cli({"host", "--at", "tomorrow"}).status, 2);
}

void HostTime::a_program_that_gives_nothing_back_raises_an_alert() {
    service_->host().configure("host_history_interval = 0\n");
    QVERIFY(service_->start());
    {
        auto store = HistoryStore::open(database().toStdString());
        QVERIFY(store.has_value());
        const auto last = begin_of(now().micros, kHostResolutions[0]);
        for (int i = 0; i < 75; ++i) {
            HostTotals totals{.time = {last - (75 - i) * kMinute}};
            UsageTotal total;
            total.name = kProgram;
            total.bytes = total.most_bytes = static_cast<double>(kSize) / 100 * i;
            total.segments = 1;
            totals.by[0] = {total};
            QVERIFY(store->add(totals));
        }
    }
    const auto rule = service_->host().path("rule.json");
    QFile file(rule);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(R"({"name":"small-growth","metric":"host_program_growth_bytes","comparison":">",)"
               R"("threshold":1048576,"group":"subject","severity":"info"})");
    file.close();
    QCOMPARE(service_->cli({"alerts", "rules", "set", rule}).status, 0);
    const auto program = grower();
    QCOMPARE(program->line(), "written");
    service_->host().configure(kOften);
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QJsonObject found;
    const auto fires = [&] {
        for (const auto& value : service_->cli_json({"alerts"})["alerts"].toArray())
            if (value[u"rule"].toString() == u"small-growth") found = value.toObject();
        return found["state"].toString() == u"firing";
    };
    QVERIFY(QTest::qWaitFor(fires, kPatienceMs));
    QCOMPARE(found["subject"].toString(), kProgram);
    const auto evidence = found["evidence"].toString();
    QVERIFY2(evidence.startsWith("grower's segments grew by ") &&
                 (evidence.contains(" in 60 min") || evidence.contains(" in 1 h")),
             qPrintable(evidence));
    // Given back: the alert ends.
    QVERIFY(QFile::remove(service_->host().path("segments/growing")));
    program->end();
    const auto ends = [&] {
        for (const auto& value : service_->cli_json({"alerts"})["alerts"].toArray())
            if (value[u"rule"].toString() == u"small-growth" &&
                value[u"state"].toString() == u"firing")
                return false;
        return true;
    };
    QVERIFY(QTest::qWaitFor(ends, kPatienceMs));
}

void HostTime::names_are_exported_only_if_asked_for() {
    service_->host().configure(kOften);
    QVERIFY(service_->start());
    const auto program = grower();
    QCOMPARE(program->line(), "written");
    QTRY_COMPARE_WITH_TIMEOUT(recorded()["bytes"].toInteger(), qint64{kSize}, kPatienceMs);
    QString text;
    QTRY_VERIFY_WITH_TIMEOUT(
        (text = service_->cli({"metrics"}).out).contains("\nsnakepit_shm_host_segments "),
        kPatienceMs);
    QVERIFY(!text.contains("snakepit_shm_host_program"));
    service_->host().configure(QString(kOften) +
                               "[shared_memory.telemetry]\nlabels = [\"host\"]\n");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(
        service_->cli({"metrics"})
            .out.contains("\nsnakepit_shm_host_program_bytes{program=\"grower\"} 8388608"),
        kPatienceMs);
}

void HostTime::it_can_be_switched_off() {
    service_->host().configure("host_history_interval = 0\n");
    QVERIFY(service_->start());
    QTest::qWait(3000);
    QVERIFY(!QFile::exists(database()));
    QVERIFY(!service_->cli({"metrics"}).out.contains("snakepit_shm_host_segments"));
    const auto refused = service_->cli({"host", "--at", "1m"});
    QVERIFY(refused.status != 0);
    QVERIFY2(refused.err.contains("history of the host"), qPrintable(refused.err));
}

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "--grow") == 0) return grow(argv[2]);
    QCoreApplication app(argc, argv);
    HostTime test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_host_time.moc"
