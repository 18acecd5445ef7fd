// SPDX-License-Identifier: MIT
// The wall clock is set, or the machine was suspended, while regions, silences and rows wait for
// their time. Programs see clocks that the test sets (programs/clock_shim.cpp).
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>
#include <QFile>
#include <QJsonArray>
#include <QProcess>
#include <QtTest>

#include <cstdint>
#include <cstdlib>

#include "paused.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

constexpr std::int64_t kHour = 3'600'000'000, kDay = 24 * kHour;  // microseconds

}  // namespace

class Clocks : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();

    void a_step_forward_ends_neither_quarantine_nor_timeout_data() { forward(); }
    void a_step_forward_ends_neither_quarantine_nor_timeout();
    void a_step_back_makes_nothing_last_longer_data() { back(); }
    void a_step_back_makes_nothing_last_longer();
    void a_step_while_no_manager_runs_counts_neither_data() { both(); }
    void a_step_while_no_manager_runs_counts_neither();
    void time_of_a_suspended_machine_counts();
    void people_see_times_of_the_clock_as_it_is_set();
    void a_step_is_an_event_and_events_stay_in_order();
    void a_silence_lasts_as_long_as_was_asked_for_data() { both(); }
    void a_silence_lasts_as_long_as_was_asked_for();
    void a_silence_ends_in_spite_of_a_clock_set_back();
    void a_manager_that_is_stopped_is_silent_for_as_long_as_it_is_data() { both(); }
    void a_manager_that_is_stopped_is_silent_for_as_long_as_it_is();
    void a_far_step_removes_no_history();
    void rows_written_by_a_clock_set_far_back_take_none_with_them();
    void a_manager_in_another_time_namespace_goes_on_with_the_same_clock();
    void a_step_makes_no_living_creator_gone_data();
    void a_step_makes_no_living_creator_gone();

  private:
    void forward() const {
        QTest::addColumn<qint64>("by");
        QTest::newRow("an hour") << qint64{kHour};
        QTest::newRow("a day") << qint64{kDay};
    }
    void back() const {
        QTest::addColumn<qint64>("by");
        QTest::newRow("an hour back") << -qint64{kHour};
        QTest::newRow("a day back") << -qint64{kDay};
    }
    void both() const {
        forward();
        QTest::newRow("an hour back") << -qint64{kHour};
        QTest::newRow("a day back") << -qint64{kDay};
    }
    // For every program at once, whatever it does.
    void set_clocks(std::int64_t wall, std::int64_t boot = 0) {
        volatile std::int64_t* const offsets = offsets_;
        offsets[0] = wall;
        offsets[1] = boot;
    }
    // The manager has noticed.
    bool seen_step(int steps = 1) {
        return QTest::qWaitFor(
            [&] {
                return service_->cli_json({"events", "--kind", "clock_stepped"})
                           .value("events")
                           .toArray()
                           .size() >= steps;
            },
            kPatienceMs);
    }
    QString allocate(const QStringList& more = {}) {
        return service_->cli_json(QStringList{"allocate", "4KiB"} + more).value("id").toString();
    }
    QJsonObject info(const QString& id) { return service_->cli_json({"info", id}); }
    QString state(const QString& id) { return info(id).value("state").toString(); }
    QStringList freed() {
        QStringList out;
        for (const QJsonValue event :
             service_->cli_json({"events", "--kind", "freed"})["events"].toArray())
            out += event["region_id"].toString();
        return out;
    }
    bool is_freed(const QString& id) {
        return QTest::qWaitFor([&] { return freed().contains(id); }, kPatienceMs);
    }
    static qint64 age(const QJsonValue& time) {
        return QDateTime::fromString(time.toString(), Qt::ISODateWithMs)
            .secsTo(QDateTime::currentDateTimeUtc());
    }

    std::unique_ptr<QTemporaryFile> clocks_;
    std::int64_t* offsets_ = nullptr;
    std::unique_ptr<Service> service_;
};

void Clocks::initTestCase() {
    if (QByteArray(SNAKEPIT_SANITIZER) != "")
        QSKIP("a sanitizer's runtime has to be the first library that is loaded");
}

void Clocks::init() {
    clocks_ = std::make_unique<QTemporaryFile>();
    QVERIFY(clocks_->open());
    QVERIFY(clocks_->resize(2 * sizeof(std::int64_t)));
    offsets_ = reinterpret_cast<std::int64_t*>(clocks_->map(0, 2 * sizeof(std::int64_t)));
    QVERIFY(offsets_);
    // The test itself was loaded before, and has the true clocks.
    qputenv("LD_PRELOAD", SNAKEPIT_CLOCK_SHIM);
    qputenv("CLOCK_SHIM", clocks_->fileName().toUtf8());
    service_ = std::make_unique<Service>();
    service_->host().configure("quarantine = \"10m\"\n");
    QVERIFY(service_->start());
}

void Clocks::cleanup() {
    service_.reset();
    offsets_ = nullptr;
    clocks_.reset();
    qunsetenv("LD_PRELOAD");
    qunsetenv("CLOCK_SHIM");
}

void Clocks::a_step_forward_ends_neither_quarantine_nor_timeout() {
    QFETCH(qint64, by);
    const auto unused = allocate({"--cleanup-policy", "automatic", "--timeout", "10m"});
    const auto cleaned = allocate();
    QCOMPARE(service_->cli({"deallocate", cleaned, "--quarantine"}).status, 0);
    QCOMPARE(state(cleaned), "quarantined");
    set_clocks(by);
    QVERIFY(seen_step());
    QCOMPARE(state(unused), "live");
    QCOMPARE(service_->cli({"restore", cleaned}).status, 0);
    QCOMPARE(freed(), QStringList());
}

void Clocks::a_step_back_makes_nothing_last_longer() {
    QFETCH(qint64, by);
    service_->host().configure("quarantine = \"2s\"\n");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    const auto unused = allocate({"--cleanup-policy", "automatic", "--timeout", "2s"});
    const auto cleaned = allocate();
    QCOMPARE(service_->cli({"deallocate", cleaned, "--quarantine"}).status, 0);
    set_clocks(by);
    QVERIFY(is_freed(cleaned));
    QVERIFY(is_freed(unused));
}

void Clocks::a_step_while_no_manager_runs_counts_neither() {
    QFETCH(qint64, by);
    const auto unused = allocate({"--cleanup-policy", "automatic", "--timeout", "10m"});
    const auto cleaned = allocate();
    QCOMPARE(service_->cli({"deallocate", cleaned, "--quarantine"}).status, 0);
    service_->kill();
    set_clocks(by);
    QVERIFY(service_->start());
    QVERIFY(seen_step());
    QCOMPARE(state(unused), "live");
    const auto until = age(info(cleaned)["quarantined_until"]) + by / 1'000'000;
    QVERIFY2(until < 0 && until >= -600, qPrintable(QString::number(until)));
    QCOMPARE(service_->cli({"restore", cleaned}).status, 0);
    QCOMPARE(freed(), QStringList());
}

void Clocks::time_of_a_suspended_machine_counts() {
    const auto unused = allocate({"--cleanup-policy", "automatic", "--timeout", "10m"});
    const auto cleaned = allocate();
    QCOMPARE(service_->cli({"deallocate", cleaned, "--quarantine"}).status, 0);
    set_clocks(kHour, kHour);
    QVERIFY(is_freed(cleaned));
    QVERIFY(is_freed(unused));
    QVERIFY(
        service_->cli_json({"events", "--kind", "clock_stepped"})["events"].toArray().isEmpty());
}

void Clocks::people_see_times_of_the_clock_as_it_is_set() {
    const auto id = allocate();
    set_clocks(kDay);
    QVERIFY(seen_step());
    // The command line's clock is a day ahead of ours.
    const auto used = age(info(id)["last_accessed"]) + kDay / 1'000'000;
    QVERIFY2(used >= 0 && used < kPatienceMs / 1000, qPrintable(QString::number(used)));
    QVERIFY(service_->cli({"list", "idle<10m"}).out.contains(id));
}

void Clocks::a_step_is_an_event_and_events_stay_in_order() {
    const auto before = allocate();
    set_clocks(-kHour);
    QVERIFY(seen_step());
    const auto after = allocate();
    const auto allocations = [&] {
        return service_->cli_json({"events", "--kind", "allocated"})["events"].toArray();
    };
    QTRY_COMPARE_WITH_TIMEOUT(allocations().size(), 2, kPatienceMs);  // the recorder may be behind
    const auto events = allocations();
    QCOMPARE(events[0]["region_id"].toString(), before);
    QCOMPARE(events[1]["region_id"].toString(), after);
    QVERIFY(events[0]["seq"].toInteger() < events[1]["seq"].toInteger());
    const auto step = service_->cli_json({"events", "--kind", "clock_stepped"})["events"][0];
    const auto off = step["detail"]["micros"].toInteger() - kHour;
    QVERIFY2(std::abs(off) < 100'000, qPrintable(QString::number(off)));
    QCOMPARE(step["detail"]["direction"].toString(), "back");
}

void Clocks::a_silence_lasts_as_long_as_was_asked_for() {
    QFETCH(qint64, by);
    QCOMPARE(service_->cli({"alerts", "silence", "--for", "30m"}).status, 0);
    set_clocks(by);
    QVERIFY(seen_step());
    QCOMPARE(service_->cli_json({"alerts", "silences"})["silences"].toArray().size(), 1);
    const auto left = [&] {
        const auto until = service_->cli_json({"alerts", "silences"})["silences"][0]["until"];
        return -by / 1'000'000 - age(until);
    };
    QTRY_VERIFY_WITH_TIMEOUT(left() > 1000 && left() <= 1800, kPatienceMs);
    // Also for the next manager, whether it was told of the step or not.
    service_->kill();
    set_clocks(2 * by);
    QVERIFY(service_->start());
    QVERIFY(seen_step(2));
    const auto silences = service_->cli_json({"alerts", "silences"})["silences"].toArray();
    QCOMPARE(silences.size(), 1);
    const auto rest = -2 * by / 1'000'000 - age(silences[0]["until"]);
    QVERIFY2(rest > 1000 && rest <= 1800, qPrintable(QString::number(rest)));
}

void Clocks::a_silence_ends_in_spite_of_a_clock_set_back() {
    QCOMPARE(service_->cli({"alerts", "silence", "--for", "3s"}).status, 0);
    set_clocks(-kDay);
    QTRY_VERIFY_WITH_TIMEOUT(
        service_->cli_json({"alerts", "silences"})["silences"].toArray().isEmpty(), kPatienceMs);
}

void Clocks::a_manager_that_is_stopped_is_silent_for_as_long_as_it_is() {
    QFETCH(qint64, by);
    QVERIFY(pause_process(service_->pid()));
    set_clocks(by);
    const auto said = service_->cli({"diagnose", "-o", service_->host().path("bundle.db")});
    const auto health = service_->cli({"health"});
    ::kill(static_cast<pid_t>(service_->pid()), SIGCONT);
    for (const auto* hour :
         {"ago: 1 h", "1 h ago", "60 min ago", "24 h ago", "1 d ago", "1 day ago"})
        QVERIFY2(!(health.out + health.err + said.out + said.err).contains(hour),
                 qPrintable(health.out));
    QVERIFY(seen_step());
    QCOMPARE(service_->cli({"health"}).status, 0);
}

void Clocks::a_far_step_removes_no_history() {
    service_->host().configure("event_retention = \"60m\"\n");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    const auto id = allocate();
    set_clocks(75 * 365 * kDay);
    QVERIFY(seen_step());
    const auto known = [&] {
        return !service_->cli_json({"events", "--kind", "allocated"})["events"].toArray().isEmpty();
    };
    // Old rows go at the start and then every second.
    for (int start = 0; start < 3; ++start) {
        QCOMPARE(service_->stop(), 0);
        QVERIFY(service_->start());
        const auto more = allocate();
        QTRY_VERIFY_WITH_TIMEOUT(service_->cli({"events", "--region", more}).out.contains(more),
                                 kPatienceMs);
    }
    QVERIFY(known());
    QVERIFY(service_->cli({"events", "--region", id}).out.contains("allocated"));
}

void Clocks::rows_written_by_a_clock_set_far_back_take_none_with_them() {
    service_->host().configure("event_retention = \"60m\"\n");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    const auto id = allocate();
    // As a machine without a battery starts.
    set_clocks(-50 * 365 * kDay);
    QVERIFY(seen_step());
    const auto more = allocate();
    QCOMPARE(service_->stop(), 0);
    set_clocks(0);
    QVERIFY(service_->start());
    const auto last = allocate();
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli({"events", "--region", last}).out.contains(last),
                             kPatienceMs);
    for (const auto& known : {id, more})
        QVERIFY(service_->cli({"events", "--region", known}).out.contains("allocated"));
}

void Clocks::a_manager_in_another_time_namespace_goes_on_with_the_same_clock() {
    const QStringList away{"-T",     "--boottime", "864000",      "--monotonic",
                           "864000", "--fork",     "--kill-child"};
    if (QProcess::execute("unshare", QStringList(away) << "true") != 0)
        QSKIP("no time namespace may be made here");
    const auto unused = allocate({"--cleanup-policy", "automatic", "--timeout", "10m"});
    const auto cleaned = allocate();
    QCOMPARE(service_->cli({"deallocate", cleaned, "--quarantine"}).status, 0);
    service_->kill();
    Peer elsewhere("unshare",
                   QStringList(away) << SNAKEPIT_BIN_DIR "/snakepit-shm"
                                     << "serve",
                   service_->host().environment(service_->instance()));
    QTRY_COMPARE_WITH_TIMEOUT(service_->cli({"status"}).status, 0, kPatienceMs);
    QCOMPARE(state(unused), "live");
    QCOMPARE(service_->cli({"health"}).status, 0);
    QCOMPARE(service_->cli({"restore", cleaned}).status, 0);
    QCOMPARE(freed(), QStringList());
}

void Clocks::a_step_makes_no_living_creator_gone_data() {
    forward();
    QTest::newRow("two minutes") << qint64{120'000'000};
}

void Clocks::a_step_makes_no_living_creator_gone() {
    QFETCH(qint64, by);
    // Of this test, which runs: attached by nobody, mapped by nobody.
    const int id = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    QVERIFY(id >= 0);
    const auto gone = qScopeGuard([id] { ::shmctl(id, IPC_RMID, nullptr); });
    QFile file(QString("/dev/shm/torch_%1_%2_0").arg(::getpid()).arg(::random()));
    QVERIFY(file.open(QIODevice::WriteOnly));
    const auto removed = qScopeGuard([&file] { file.remove(); });
    file.write("x");
    file.close();
    set_clocks(by);
    const auto survey = service_->cli({"host", "clean", "--dry-run", "--json"});
    QVERIFY2(survey.status == 0 || survey.status == 1, qPrintable(survey.err));
    for (const QJsonValue item : survey.json()["items"].toArray()) {
        QVERIFY(item["name"].toString() != QString("sysv:%1").arg(id));
        QVERIFY(item["name"].toString() != QFileInfo(file).fileName());
    }
    if (by < kDay) return;
    const auto shown = service_->cli({"host", QString("sysv:%1").arg(id)});
    QVERIFY2(shown.out.contains("The clock was set"), qPrintable(shown.out));
}

QTEST_GUILESS_MAIN(Clocks)
#include "tst_clocks.moc"
