// SPDX-License-Identifier: MIT
// Segments of programs people run: found, named and refused while the program lives. Skipped where
// the program is not installed.
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QtTest>

#include <csignal>

#include "host_view.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

// A program that says in its log when it is ready, and ends with the test.
class Program {
  public:
    ~Program() { end(SIGKILL); }

    bool start(const QStringList& words, const QString& home, const QString& ready) {
        auto environment = QProcessEnvironment::systemEnvironment();
        environment.insert("HOME", home);
        environment.insert("XDG_RUNTIME_DIR", home);
        process_.setProcessEnvironment(environment);
        process_.setProcessChannelMode(QProcess::MergedChannels);
        process_.setWorkingDirectory(home);
        process_.start(words.front(), words.mid(1));
        while (!log_.contains(ready)) {
            if (!process_.waitForReadyRead(kPatienceMs)) return false;
            log_ += QString::fromUtf8(process_.readAll());
        }
        return true;
    }
    // The signal goes to this one process; it ends its own.
    bool end(int signal) {
        if (process_.state() == QProcess::NotRunning) return true;
        ::kill(static_cast<pid_t>(process_.processId()), signal);
        return process_.waitForFinished(kPatienceMs);
    }
    qint64 pid() const { return process_.processId(); }
    const QString& log() const { return log_; }

  private:
    QProcess process_;
    QString log_;
};

QString postgres_program(const QString& name) {
    const QDir versions("/usr/lib/postgresql");
    for (const auto& version : versions.entryList(QDir::Dirs | QDir::NoDotAndDotDot))
        if (const auto path = versions.filePath(version + "/bin/" + name); QFile::exists(path))
            return path;
    return {};
}

}  // namespace

class HostProgramsTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_running_postgresql_is_named_and_refused();
    void a_running_chromium_is_named_and_refused();

  private:
    // Each segment that process `pid` uses is the program's and in use; at least one of each kind.
    void found_and_refused(qint64 pid, const QString& program, const QStringList& kinds);

    Service service_;
};

void HostProgramsTest::found_and_refused(qint64 pid, const QString& program,
                                         const QStringList& kinds) {
    const auto survey = service_.cli_json({"host"});
    const auto used =
        segments_in(survey, [pid](const QJsonObject& segment) { return used_by(segment, pid); });
    QStringList seen, words{"host", "clean", "--yes"};
    for (const auto& segment : used) {
        QCOMPARE(segment["verdict"].toString(), "in_use");
        if (segment["program"].toString() != program) continue;
        seen += segment["kind"].toString();
        words += segment["name"].toString();
    }
    for (const auto& kind : kinds) QVERIFY2(seen.contains(kind), qPrintable(kind));
    QVERIFY(!seen.isEmpty());
    const auto refused = service_.cli(words + QStringList{"--json"});
    QCOMPARE(refused.status, 1);
    QCOMPARE(refused.json()["removed"].toInt(), 0);
    int named = 0;
    for (const auto& value : refused.json()["items"].toArray()) {
        const auto item = value.toObject();
        const auto reason = item["reason"].toString();
        QVERIFY(!item["removable"].toBool(true));
        // Some of what a browser shares lives for a moment only, and some only its other processes
        // still have.
        QVERIFY2(reason.contains("process ") || item["segment"].isNull(), qPrintable(reason));
        if (reason.contains(QString::number(pid))) ++named;
    }
    QVERIFY(named > 0);
    const auto after = service_.cli_json({"host"});
    for (const auto& segment : used)
        if (segment["kind"].toString() != "memfd" && !segment["unlinked"].toBool())
            QVERIFY(!segment_named(after, segment["name"].toString()).isEmpty());
}

void HostProgramsTest::a_running_postgresql_is_named_and_refused() {
    const auto initdb = postgres_program("initdb"), server = postgres_program("postgres");
    if (initdb.isEmpty() || server.isEmpty()) QSKIP("PostgreSQL is not installed");
    QTemporaryDir directory;
    QStringList as;
    if (::geteuid() == 0) {  // it refuses to run as root
        const auto* user = ::getpwnam("postgres");
        if (!user) QSKIP("there is no user postgres");
        QVERIFY(::chown(qPrintable(directory.path()), user->pw_uid, user->pw_gid) == 0);
        as = {"setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"};
    }
    const auto data = directory.filePath("data");
    Program initialise;
    QVERIFY2(initialise.start(
                 as + QStringList{initdb, "-D", data, "-A", "trust", "--no-sync", "--no-locale"},
                 directory.path(), "Success"),
             qPrintable(initialise.log()));
    Program postgres;
    QVERIFY2(postgres.start(as + QStringList{server, "-D", data, "-k", directory.path(), "-c",
                                             "listen_addresses="},
                            directory.path(), "ready to accept connections"),
             qPrintable(postgres.log()));
    found_and_refused(postgres.pid(), "PostgreSQL", {"posix", "sysv"});
    QVERIFY(postgres.end(SIGINT));
}

void HostProgramsTest::a_running_chromium_is_named_and_refused() {
    const auto chromium = QStandardPaths::findExecutable("chromium");
    if (chromium.isEmpty()) QSKIP("Chromium is not installed");
    QTemporaryDir directory;
    Program browser;
    QVERIFY2(browser.start({chromium, "--headless", "--no-sandbox", "--disable-gpu",
                            "--no-first-run", "--user-data-dir=" + directory.filePath("data"),
                            "--remote-debugging-port=0", "about:blank"},
                           directory.path(), "DevTools listening"),
             qPrintable(browser.log()));
    found_and_refused(browser.pid(), "Chromium", {});
    QVERIFY(browser.end(SIGTERM));
}

QTEST_GUILESS_MAIN(HostProgramsTest)
#include "tst_host_programs.moc"
