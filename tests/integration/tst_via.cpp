// SPDX-License-Identifier: MIT
// --via: commands over a line, with far ends that are real, noisy, cut off or hostile. The line is
// a local program; over ssh it is a server of the test's own.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QProcess>
#include <QStandardPaths>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

const QString kBin = QStringLiteral(SNAKEPIT_BIN_DIR);

QByteArray contents(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

// 0: none.
int free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const bool known = ::bind(socket, any, size) == 0 && ::getsockname(socket, any, &size) == 0;
    ::close(socket);
    return known ? ntohs(address.sin_port) : 0;
}

// Also if nobody has reaped it.
bool has_ended(int pid) {
    const auto stat = contents(QString("/proc/%1/stat").arg(pid));
    return stat.isEmpty() || stat.mid(stat.lastIndexOf(')') + 2).startsWith('Z');
}

}  // namespace

class Via : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { QVERIFY(service_.start()); }

    void a_command_gives_the_same_as_on_that_machine();
    void noise_before_the_relay_is_skipped();
    void input_and_output_travel_whole();
    void a_file_that_is_named_is_here();
    void the_far_status_and_errors_come_back();
    void a_command_that_does_not_exist_is_told();
    void what_is_not_a_relay_is_told_data();
    void what_is_not_a_relay_is_told();
    void a_line_that_is_cut_is_told();
    void the_far_command_ends_with_the_line();
    void an_interrupt_reaches_the_far_command();
    void no_shell_reads_the_command();
    void a_command_that_reads_nothing_leaves_the_input();
    void over_ssh_it_is_the_same();

  private:
    QProcessEnvironment environment() const {
        auto out = service_.host().environment(service_.instance());
        out.insert("PATH", kBin + ":" + out.value("PATH"));
        return out;
    }
    std::unique_ptr<Peer> start(const QString& via, const QStringList& words) const {
        return std::make_unique<Peer>(kBin + "/snakepit-shm", QStringList{"--via", via} + words,
                                      environment());
    }
    Finished run(const QString& via, const QStringList& words) const {
        return start(via, words)->wait();
    }
    Finished run_with_input(const QStringList& words, const QByteArray& input) const {
        QProcess process;
        process.setProcessEnvironment(environment());
        process.start(kBin + "/snakepit-shm", QStringList{"--via", "env"} + words);
        process.write(input);
        process.closeWriteChannel();
        if (!process.waitForFinished(kPatienceMs)) return {};
        return {process.exitCode(), QString::fromLatin1(process.readAllStandardOutput()),
                QString::fromUtf8(process.readAllStandardError())};
    }
    QString script(const QString& name, const QByteArray& text) const {
        const auto path = service_.host().path(name);
        QFile file(path);
        if (!file.open(QIODevice::WriteOnly)) qFatal("cannot write a script");
        file.write("#!/bin/sh\n" + text);
        file.close();
        file.setPermissions(QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner);
        return path;
    }

    Service service_;
};

void Via::a_command_gives_the_same_as_on_that_machine() {
    const auto id = service_.cli_json({"allocate", "4096"})["id"].toString();
    QVERIFY(!id.isEmpty());
    const auto here = service_.cli({"info", id, "--json"});
    const auto there = run("env", {"info", id, "--json"});
    QCOMPARE(there.status, 0);
    QCOMPARE(there.json()["id"].toString(), id);
    QCOMPARE(there.json().keys(), here.json().keys());
    QCOMPARE(run("env", {"deallocate", id}).status, 0);
    QCOMPARE(run("env", {"info", id}).status, 1);
}

void Via::noise_before_the_relay_is_skipped() {
    const auto noisy =
        script("noisy", "echo Welcome to db1; printf '\\033[31mred\\033[0m'\nexec \"$@\"\n");
    const auto done = run(noisy, {"list", "--json"});
    QCOMPARE(done.status, 0);
    QVERIFY2(done.out.startsWith('{'), qPrintable(done.out));
    const auto endless = script("endless", "exec cat /dev/zero\n");
    const auto refused = run(endless, {"list", "--json"});
    QCOMPARE(refused.status, 1);
    QCOMPARE(refused.error()["type"].toString(), QString("no_connection"));
}

// More than any window or pipe holds, and every byte.
void Via::input_and_output_travel_whole() {
    QByteArray bytes(3'000'000, '\0');
    for (qsizetype i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
    const auto id = service_.cli_json({"allocate", QString::number(bytes.size())})["id"].toString();
    QCOMPARE(run_with_input({"write", id}, bytes).status, 0);
    const auto read = run_with_input({"read", id}, {});
    QCOMPARE(read.status, 0);
    QVERIFY(read.out.toLatin1() == bytes);
}

void Via::a_file_that_is_named_is_here() {
    const auto id = service_.cli_json({"allocate", "4096"})["id"].toString();
    const auto file = service_.host().path("dump.bin");
    QCOMPARE(run("env -C /", {"dump", id, "-o", file}).status, 0);
    const auto whole = contents(file);
    QVERIFY(!whole.isEmpty());
    const auto again = run("env", {"dump", id, "-o", file});
    QCOMPARE(again.status, 1);  // without --force
    QCOMPARE(contents(file), whole);
    const auto none = service_.host().path("none.bin");
    QVERIFY(run("env", {"dump", "shm_nothing", "-o", none}).status != 0);
    QVERIFY(!QFile::exists(none));
    QCOMPARE(run("env", {"run", "--report", file, "true"}).status, 2);

    const auto plan = service_.host().path("plan.json");
    QFile out(plan);
    QVERIFY(out.open(QIODevice::WriteOnly));
    out.write(service_.cli({"cleanup", "--orphans", "--dry-run", "--json"}).out.toUtf8());
    out.close();
    QDir::setCurrent(QFileInfo(plan).path());
    QCOMPARE(run("env -C /", {"cleanup", "--plan", "plan.json"}).status, 0);
}

void Via::the_far_status_and_errors_come_back() {
    const auto missing = run("env", {"info", "shm_0", "--json"});
    QVERIFY(missing.status == 1 || missing.status == 2);
    QVERIFY(!missing.error()["message"].toString().isEmpty());
    const auto nobody = run("env SNAKEPIT_SHM_INSTANCE=nobody", {"status"});
    QCOMPARE(nobody.status, 3);
    QVERIFY2(nobody.err.contains("it ran as"), qPrintable(nobody.err));
    QCOMPARE(run("env", {"run", "sh", "-c", "exit 42"}).status, 42);
    QCOMPARE(run("env", {"list", "--no-such-option"}).status, 2);
}

void Via::a_command_that_does_not_exist_is_told() {
    const auto done = run("/no/such/program", {"list", "--json"});
    QCOMPARE(done.status, 1);
    QCOMPARE(done.error()["type"].toString(), QString("no_connection"));
    QVERIFY(done.error()["message"].toString().contains("/no/such/program"));
    QCOMPARE(run("ssh 'host", {"list"}).status, 2);
}

void Via::what_is_not_a_relay_is_told_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::newRow("ends at once") << QByteArray("exit 7\n");
    QTest::newRow("says something") << QByteArray("echo not found; exit 127\n");
    QTest::newRow("echoes") << QByteArray(
        "printf '\\000snakepit-shm via  \\n\\001\\000\\000\\000'\n");
    QTest::newRow("terminal") << QByteArray("printf '\\000snakepit-shm relay\\r\\n'; sleep 60\n");
    QTest::newRow("other version")
        << QByteArray("printf '\\000snakepit-shm relay\\n\\011\\000\\000\\000'; sleep 60\n");
    QTest::newRow("too long a frame") << QByteArray(
        "printf '\\000snakepit-shm relay\\n\\001\\000\\000\\000\\377\\377\\377\\177'; sleep 60\n");
    QTest::newRow("random bytes") << QByteArray(
        "printf '\\000snakepit-shm relay\\n\\001\\000\\000\\000'; head -c 100000 /dev/urandom\n");
}

void Via::what_is_not_a_relay_is_told() {
    QFETCH(QByteArray, text);
    const auto done = run(script("not-a-relay", text), {"list", "--json"});
    QCOMPARE(done.status, 1);
    QCOMPARE(done.error()["type"].toString(), QString("no_connection"));
    QVERIFY(!done.error()["remedy"].toString().isEmpty());
}

void Via::a_line_that_is_cut_is_told() {
    const auto cut = script("cut", "\"$@\" | head -c 60\n");
    const auto done = run(cut, {"list", "--json"});
    QCOMPARE(done.status, 1);
    QCOMPARE(done.error()["type"].toString(), QString("no_connection"));
    QVERIFY2(done.error()["message"].toString().contains("cut"), qPrintable(done.err));
}

void Via::the_far_command_ends_with_the_line() {
    const auto file = service_.host().path("far-pid");
    QFile::remove(file);
    auto peer = start("env", {"run", "sh", "-c", "echo $$ > " + file + "; exec sleep 1000"});
    QTRY_VERIFY_WITH_TIMEOUT(contents(file).endsWith('\n'), kPatienceMs);
    const int far = contents(file).trimmed().toInt();
    QVERIFY(far > 1);
    peer->end(SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(has_ended(far), kPatienceMs);
}

void Via::an_interrupt_reaches_the_far_command() {
    const auto file = service_.host().path("far-started");
    QFile::remove(file);
    auto peer =
        start("env", {"run", "sh", "-c",
                      "trap 'exit 9' INT; echo > " + file + "; while :; do sleep 0.05; done"});
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(file), kPatienceMs);
    QCOMPARE(peer->end(SIGINT).status, 9);
}

void Via::no_shell_reads_the_command() {
    const auto file = service_.host().path("made-by-a-shell");
    const auto done = run("env A=$(touch\\ " + file + ");touch\\ " + file, {"list", "--json"});
    QVERIFY(!QFile::exists(file));
    QCOMPARE(done.status, 0);
    const auto name = run("env", {"info", "; touch " + file, "--json"});
    QVERIFY(name.status != 0);
    QVERIFY(!QFile::exists(file));
}

void Via::a_command_that_reads_nothing_leaves_the_input() {
    const auto loop = script("loop", "snakepit-shm --via env list > /dev/null; cat\n");
    QProcess process;
    process.setProcessEnvironment(environment());
    process.start(loop, QStringList());
    process.write("still there\n");
    process.closeWriteChannel();
    QVERIFY(process.waitForFinished(kPatienceMs));
    QCOMPARE(process.readAllStandardOutput(), QByteArray("still there\n"));
}

// A server of the test's own: its keys, its port, its configuration.
void Via::over_ssh_it_is_the_same() {
    const auto server = QStandardPaths::findExecutable("sshd", {"/usr/sbin", "/usr/local/sbin"});
    const auto client = QStandardPaths::findExecutable("ssh");
    if (server.isEmpty() || client.isEmpty()) QSKIP("needs openssh-server and openssh-client");
    const QDir home(service_.host().path("ssh"));
    QVERIFY(home.mkpath("."));
    for (const auto* key : {"host", "user"})
        QCOMPARE(QProcess::execute("ssh-keygen",
                                   {"-q", "-t", "ed25519", "-N", "", "-f", home.filePath(key)}),
                 0);
    QVERIFY(QFile::copy(home.filePath("user.pub"), home.filePath("authorized")));
    if (::geteuid() == 0) QDir().mkpath("/run/sshd");
    const int number = free_port();
    QVERIFY(number > 0);
    QFile configuration(home.filePath("config"));
    QVERIFY(configuration.open(QIODevice::WriteOnly));
    configuration.write(QString("Port %1\nListenAddress 127.0.0.1\nHostKey %2\nPidFile none\n"
                                "AuthorizedKeysFile %3\nStrictModes no\nUsePAM no\n"
                                "PermitRootLogin prohibit-password\nAcceptEnv *\n"
                                "SetEnv PATH=%4:/usr/bin:/bin\n")
                            .arg(number)
                            .arg(home.filePath("host"), home.filePath("authorized"), kBin)
                            .toUtf8());
    configuration.close();
    QProcess serving;
    serving.start(server, {"-D", "-e", "-f", configuration.fileName()});
    QVERIFY(serving.waitForStarted(kPatienceMs));
    QString sent;
    const auto variables = environment();
    for (const auto& name : variables.keys())
        if (name.startsWith("SNAKEPIT_SHM_") || name.startsWith("XDG_"))
            sent += QString(" -o 'SetEnv %1=%2'").arg(name, variables.value(name));
    // The first of several SetEnv wins, so all are one.
    sent = " -o 'SetEnv" + sent.replace(" -o 'SetEnv", "").replace("'", "") + "'";
    const auto via = QString(
                         "ssh -p %1 -i %2 -F none -o BatchMode=yes -o IdentitiesOnly=yes "
                         "-o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=%3 "
                         "-o ConnectionAttempts=20%4 127.0.0.1")
                         .arg(number)
                         .arg(home.filePath("user"), home.filePath("known"), sent);
    const auto id = service_.cli_json({"allocate", "8192"})["id"].toString();
    const auto done = run(via, {"info", id, "--json"});
    QVERIFY2(done.status == 0, qPrintable(done.err));
    QCOMPARE(done.json()["id"].toString(), id);
    QCOMPARE(run(via, {"deallocate", id}).status, 0);
    serving.terminate();
    serving.waitForFinished(kPatienceMs);
    const auto gone = run(via, {"list", "--json"});
    QCOMPARE(gone.status, 1);
    QCOMPARE(gone.error()["type"].toString(), QString("no_connection"));
}

QTEST_GUILESS_MAIN(Via)
#include "tst_via.moc"
