// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QSet>
#include <QTemporaryDir>
#include <QtTest>

#include <csignal>
#include <fstream>

#include <httplib.h>

#include "base/paths.h"
#include "journal_socket.h"
#include "monitoring/event_journal.h"
#include "monitoring/telemetry_manager.h"
#include "registry/region_registry.h"

using namespace snakepit::shm;
using snakepit::shm::test::JournalMessage;
using snakepit::shm::test::JournalSocket;

namespace {

constexpr int kPatienceMs = 30'000;

// A registry without a manager, and who tells of it.
class Bench {
    QTemporaryDir dir_;  // the last to go
    InstancePaths paths_;

  public:
    Bench() {
        paths_.instance = "bench";
        paths_.runtime_dir = dir_.path().toStdString();
        paths_.state_dir = paths_.runtime_dir;
        registry = std::move(*RegionRegistry::open(paths_));
        telemetry = std::make_unique<TelemetryManager>(
            TelemetryManager::Identity{paths_.registry(), "1.0", "bench", "none"},
            registry->ring().head());
        options.journal = JournalChoice::off;
    }
    std::string path(const char* name) const { return dir_.filePath(name).toStdString(); }
    void configure(bool enabled = true) { telemetry->configure(options, enabled); }
    // Listens somewhere; the port.
    int listen() {
        options.listen = "127.0.0.1:0";
        options.host = "127.0.0.1";
        configure();
        if (!QTest::qWaitFor([&] { return !telemetry->state().url.empty(); }, kPatienceMs))
            return 0;
        const auto url = telemetry->state().url;
        return QString::fromStdString(url).section(':', 2).section('/', 0, 0).toInt();
    }
    void record(EventKind kind, std::string_view text, ErrorCode result = {}) {
        registry->record({.kind = kind, .result = result, .pid = 11, .uid = 12, .text = text});
    }

    std::unique_ptr<RegionRegistry> registry;
    std::unique_ptr<TelemetryManager> telemetry;
    TelemetryOptions options;
};

int status_of(int port, const char* path) {
    const auto answer = httplib::Client("127.0.0.1", port).Get(path);
    return answer ? answer->status : 0;
}

}  // namespace

class TestTelemetryManager : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void nothing_is_begun_until_something_is_configured();
    void a_manager_that_hangs_is_unhealthy();
    void sigpipe_is_left_as_it_was();
    void its_sockets_are_not_for_programs_that_are_started();
    void the_text_file_is_renewed_and_goes_with_the_manager();
    void what_cannot_be_written_is_told_once_and_tried_again();
    void every_kind_of_event_has_an_id_of_its_own_that_stays();
    void important_events_go_to_the_journal_with_fields();
    void what_the_journal_does_not_take_is_sent_when_it_does();
};

void TestTelemetryManager::nothing_is_begun_until_something_is_configured() {
    Bench bench;
    bench.configure(true);
    QVERIFY(bench.telemetry->state().url.empty());
    bench.options.listen = "127.0.0.1:0";
    bench.options.host = "127.0.0.1";
    bench.configure(false);
    QVERIFY(bench.telemetry->state().url.empty());
    QVERIFY(!bench.telemetry->state().enabled);
}

void TestTelemetryManager::a_manager_that_hangs_is_unhealthy() {
    Bench bench;
    const int port = bench.listen();
    QVERIFY(port > 0);
    QCOMPARE(status_of(port, "/-/healthy"), 503);
    bench.registry->state().heartbeat.store(now().micros);
    QCOMPARE(status_of(port, "/-/healthy"), 200);
    bench.registry->state().heartbeat.store(now().micros - 2 * kFreshMicros);
    QCOMPARE(status_of(port, "/-/healthy"), 503);
    const auto metrics = httplib::Client("127.0.0.1", port).Get("/metrics");
    QVERIFY(metrics && metrics->body.find("snakepit_shm_up 0\n") != std::string::npos);
}

void TestTelemetryManager::its_sockets_are_not_for_programs_that_are_started() {
    Bench bench;
    httplib::Client client("127.0.0.1", bench.listen());
    QVERIFY(client.Get("/"));
    int sockets = 0;
    for (const auto& name : QDir("/proc/self/fd").entryList(QDir::Files | QDir::System)) {
        struct stat info {};
        const int fd = name.toInt();
        if (fd <= STDERR_FILENO || ::fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode)) continue;
        ++sockets;
        QVERIFY2((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, qPrintable(name));
    }
    QVERIFY(sockets > 0);
}

void TestTelemetryManager::sigpipe_is_left_as_it_was() {
    ::signal(SIGPIPE, SIG_DFL);
    Bench bench;
    QVERIFY(bench.listen() > 0);
    struct sigaction now_set {};
    ::sigaction(SIGPIPE, nullptr, &now_set);
    QVERIFY(now_set.sa_handler == SIG_DFL);
}

void TestTelemetryManager::the_text_file_is_renewed_and_goes_with_the_manager() {
    Bench bench;
    bench.options.textfile = bench.path("shm.prom");
    bench.options.interval_ms = 1'000;
    const auto says = [&](const char* line) {
        std::ifstream file(bench.options.textfile);
        for (std::string read; std::getline(file, read);)
            if (read == line) return true;
        return false;
    };
    bench.configure();
    QTRY_VERIFY_WITH_TIMEOUT(says("snakepit_shm_up 0"), kPatienceMs);
    bench.registry->state().heartbeat.store(now().micros + 60'000'000);
    QTRY_VERIFY_WITH_TIMEOUT(says("snakepit_shm_up 1"), kPatienceMs);
    // Another name: the old file goes.
    const auto before = bench.options.textfile;
    bench.options.textfile = bench.path("other.prom");
    bench.configure();
    QTRY_VERIFY_WITH_TIMEOUT(says("snakepit_shm_up 1"), kPatienceMs);
    QVERIFY(!QFile::exists(QString::fromStdString(before)));
    bench.telemetry.reset();
    QVERIFY(!QFile::exists(QString::fromStdString(bench.options.textfile)));
}

void TestTelemetryManager::what_cannot_be_written_is_told_once_and_tried_again() {
    Bench bench;
    const auto directory = bench.path("later");
    bench.options.textfile = directory + "/shm.prom";
    bench.options.interval_ms = 1'000;
    bench.configure();
    std::vector<TelemetryNews> news;
    const auto told = [&](std::size_t count) {
        for (auto& item : bench.telemetry->take_news()) news.push_back(std::move(item));
        return news.size() >= count;
    };
    QTRY_VERIFY_WITH_TIMEOUT(told(1), kPatienceMs);
    QVERIFY(!news[0].works);
    QCOMPARE(news[0].error.code, ErrorCode::telemetry_unavailable);
    QVERIFY(news[0].error.message.find(directory) != std::string::npos);
    QVERIFY(!news[0].error.remedy.empty());
    QCOMPARE(bench.telemetry->state().problems.size(), std::size_t{1});
    QVERIFY(QDir().mkpath(QString::fromStdString(directory)));
    QTRY_VERIFY_WITH_TIMEOUT(told(2), kPatienceMs);
    QVERIFY(news[1].works);
    QVERIFY(bench.telemetry->state().problems.empty());
    QVERIFY(QFile::exists(QString::fromStdString(bench.options.textfile)));
}

void TestTelemetryManager::every_kind_of_event_has_an_id_of_its_own_that_stays() {
    QCOMPARE(journal_message_id(EventKind::refused),
             std::string("12291b51c3274f172395a0793ef70f98"));
    QSet<QString> ids;
    int kinds = 0;
#define X(name, number)                                                      \
    ids.insert(QString::fromStdString(journal_message_id(EventKind::name))); \
    ++kinds;
    SNAKEPIT_SHM_EVENT_KINDS(X)
#undef X
    QCOMPARE(ids.size(), kinds);
}

void TestTelemetryManager::important_events_go_to_the_journal_with_fields() {
    Bench bench;
    JournalSocket journal(bench.path("journal"));
    QVERIFY(journal.bound());
    bench.record(EventKind::refused, "before: anybody listened");
    bench.telemetry = std::make_unique<TelemetryManager>(bench.telemetry->identity(),
                                                         bench.registry->ring().head());
    bench.options.journal = JournalChoice::important;
    bench.options.journal_socket = bench.path("journal");
    bench.configure(false);  // measurements are one thing, events another
    bench.record(EventKind::mapped, {});
    bench.record(EventKind::refused, "map: two\nlines", ErrorCode::permission_denied);
    std::optional<JournalMessage> got;
    QVERIFY(QTest::qWaitFor([&] { return (got = journal.next()).has_value(); }, kPatienceMs));
    auto& message = *got;
    QCOMPARE(message["MESSAGE"],
             std::string("refused: map: two\nlines, process 11, user 12 (permission_denied)"));
    QCOMPARE(message["PRIORITY"], std::string("4"));
    QCOMPARE(message["SYSLOG_IDENTIFIER"], std::string("snakepit-shm"));
    QCOMPARE(message["MESSAGE_ID"], journal_message_id(EventKind::refused));
    QCOMPARE(message["SNAKEPIT_INSTANCE"], std::string("bench"));
    QCOMPARE(message["SNAKEPIT_EVENT"], std::string("refused"));
    QCOMPARE(message["SNAKEPIT_PID"], std::string("11"));
    QCOMPARE(message["SNAKEPIT_UID"], std::string("12"));
    QCOMPARE(message["SNAKEPIT_RESULT"], std::string("permission_denied"));
    QCOMPARE(message["SNAKEPIT_DETAIL"],
             std::string(R"({"operation":"map","reason":"two\u000alines"})"));
    QVERIFY(!message.contains("SNAKEPIT_REGION"));
    QVERIFY(!journal.next());
    QTRY_VERIFY_WITH_TIMEOUT(bench.telemetry->journal_works(), kPatienceMs);
    // What is recorded last is sent too.
    bench.record(EventKind::damaged, "its canary");
    bench.telemetry.reset();
    got = journal.next();
    QVERIFY(got);
    QCOMPARE((*got)["SNAKEPIT_EVENT"], std::string("damaged"));
    QCOMPARE((*got)["PRIORITY"], std::string("3"));
}

void TestTelemetryManager::what_the_journal_does_not_take_is_sent_when_it_does() {
    Bench bench;
    bench.options.journal = JournalChoice::everything;
    bench.options.journal_socket = bench.path("journal");
    bench.configure();
    bench.record(EventKind::mapped, {});
    bench.record(EventKind::withdrawn, {});
    QTRY_VERIFY_WITH_TIMEOUT(bench.telemetry->state().problems.size() == 1, kPatienceMs);
    QVERIFY(!bench.telemetry->journal_works());
    JournalSocket journal(bench.path("journal"));
    std::vector<std::string> kinds;
    const auto came = [&] {
        while (auto message = journal.next()) kinds.push_back((*message)["SNAKEPIT_EVENT"]);
        return kinds.size() >= 2;
    };
    QTRY_VERIFY_WITH_TIMEOUT(came(), kPatienceMs);
    QCOMPARE(kinds, (std::vector<std::string>{"mapped", "withdrawn"}));
    QTRY_VERIFY_WITH_TIMEOUT(bench.telemetry->journal_works(), kPatienceMs);
    QVERIFY(bench.telemetry->state().problems.empty());
}

QTEST_GUILESS_MAIN(TestTelemetryManager)
#include "tst_telemetry_manager.moc"
