// SPDX-License-Identifier: MIT
// `snakepit-shm run`: real programs that leave segments, or leave none, or go on; and that a
// command notices nothing of being watched. Only segments of this test's own are made and removed.
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>

#include <csignal>

#include "host_view.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

const QString kCli = QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm";
const QString kLeaker = QStringLiteral(SNAKEPIT_LEAKER);
const QString kPython = "/usr/bin/python3";
constexpr int kUser = 64'321;  // nobody else on the host runs as this one

bool is_root() {
    return ::geteuid() == 0;
}

QStringList as_user(const QStringList& words) {
    if (!is_root()) return words;
    const auto user = QString::number(kUser);
    return QStringList{"setpriv", "--reuid", user, "--regid", user, "--clear-groups"} + words;
}

QStringList run(const QStringList& words) {
    return QStringList{kCli, "run", "--json"} + words;
}

// The last line of standard error.
QJsonObject report_of(const Finished& finished) {
    const auto lines = finished.err.trimmed().split('\n');
    return QJsonDocument::fromJson(lines.back().toUtf8()).object();
}

QStringList names_in(const QJsonObject& report, const QString& list) {
    QStringList out;
    for (const auto& item : report[list].toArray()) out += item.toObject()["name"].toString();
    out.sort();
    return out;
}

QJsonObject item_named(const QJsonObject& report, const QString& list, const QString& name) {
    for (const auto& item : report[list].toArray())
        if (item.toObject()["name"].toString() == name) return item.toObject();
    return {};
}

// How the first process was seen to have it.
QString how(const QJsonObject& item) {
    return item["seen"].toArray().first().toObject()["how"].toString();
}

}  // namespace

class Run : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { made_ = QString("snakepit-run-%1-%2-").arg(::getpid()).arg(++tests_); }
    void cleanup();

    void what_a_program_leaves_is_told_data();
    void what_a_program_leaves_is_told();
    void a_program_that_leaves_nothing_is_told_so();
    void what_python_leaves_is_told_and_cleaned();
    void a_system_v_segment_is_its_creators();
    void what_a_daemon_uses_is_told_and_kept();
    void what_a_daemon_may_come_back_to_is_kept();
    void what_a_killed_program_leaves_is_told();
    void two_runs_at_once_name_their_own_only();
    void what_others_make_meanwhile_is_possible_only();
    void what_others_made_and_the_command_opened_is_possible_only();
    void what_was_there_before_is_not_told();
    void a_segment_in_a_directory_is_told();
    void the_status_is_the_commands_data();
    void the_status_is_the_commands();
    void a_leak_fails_a_pipeline();
    void a_leak_does_not_hide_a_failure();
    void isolated_nothing_is_missed_and_nothing_stays_data();
    void isolated_nothing_is_missed_and_nothing_stays();
    void an_isolated_daemon_keeps_what_it_uses();
    void isolated_the_users_are_who_they_are();
    void without_user_namespaces_isolation_is_refused();
    void signals_reach_the_command_data();
    void signals_reach_the_command();
    void a_signal_to_the_whole_group_comes_once();
    void a_stopped_command_stops_the_job();
    void a_command_that_closes_everything_is_followed();
    void a_command_with_a_session_of_its_own_is_followed();
    void a_command_that_changes_its_user_is_followed();
    void without_records_what_lives_is_seen();
    void the_command_inherits_what_it_would_data();
    void the_command_inherits_what_it_would();
    void words_behind_the_command_are_its_own();
    void a_report_is_written_whole_or_the_command_is_not_started();
    void wrong_words_are_told();

  private:
    QString name(const QString& end) const { return made_ + end; }
    static bool there(const QString& name) { return QFile::exists("/dev/shm/" + name); }
    Finished execute(QStringList words) const { return start(std::move(words))->wait(); }
    std::unique_ptr<Peer> start(QStringList words) const {
        const auto program = words.takeFirst();
        return std::make_unique<Peer>(program, words, host_.environment("test"));
    }
    QString table_segment(const QString& id) {
        tables_ += id.toInt();
        return "sysv:" + id.trimmed();
    }
    void end_later(const QString& pid) { daemons_ += pid.toInt(); }

    TestHost host_;
    QString made_;
    int tests_ = 0;
    QList<int> tables_, daemons_;
};

void Run::cleanup() {
    for (const int pid : std::as_const(daemons_))
        if (pid > 1) ::kill(pid, SIGKILL);
    for (const int id : std::as_const(tables_)) ::shmctl(id, IPC_RMID, nullptr);
    tables_.clear();
    daemons_.clear();
    QDir shm("/dev/shm");
    for (const auto& left : shm.entryList({made_ + "*"}, QDir::AllEntries | QDir::System)) {
        QDir directory("/dev/shm/" + left);
        if (!QFile::remove("/dev/shm/" + left)) directory.removeRecursively();
    }
}

void Run::what_a_program_leaves_is_told_data() {
    QTest::addColumn<bool>("as_root");
    QTest::addColumn<QString>("use");
    QTest::newRow("mapped, root") << true << "map";
    QTest::newRow("opened, root") << true << "open";
    QTest::newRow("mapped, user") << false << "map";
}

void Run::what_a_program_leaves_is_told() {
    QFETCH(bool, as_root);
    QFETCH(QString, use);
    if (as_root && !is_root()) QSKIP("needs root");
    // It lives some hundred microseconds.
    const auto words = run({"--fail-on-leak", kLeaker, use, name("a")});
    const auto done = execute(as_root ? words : as_user(words));
    const auto report = report_of(done);
    if (report["attribution"].toString() == "looks") QSKIP("the kernel gives no records here");
    QVERIFY2(done.status == 5, qPrintable(done.err));
    QCOMPARE(done.out, QString());
    QCOMPARE(names_in(report, "left"), QStringList{name("a")});
    const auto left = item_named(report, "left", name("a"));
    QCOMPARE(left["size"].toInteger(), 8192);
    QCOMPARE(left["removed"].toBool(), false);
    QVERIFY(left["users"].toArray().isEmpty());
    const auto seen = left["seen"].toArray().first().toObject();
    QCOMPARE(seen["program"].toString(), QFileInfo(kLeaker).fileName().left(15));
    QVERIFY(seen["pid"].toInteger() > 0);
    if (report["attribution"].toString() == "exact") QCOMPARE(how(left), QString("created"));
    QVERIFY(there(name("a")));

    const auto cleaning = run({"--clean", kLeaker, use, name("b")});
    const auto cleaned = report_of(execute(as_root ? cleaning : as_user(cleaning)));
    QVERIFY(item_named(cleaned, "left", name("b"))["removed"].toBool());
    QVERIFY(!there(name("b")));
    QVERIFY(there(name("a")));
}

void Run::a_program_that_leaves_nothing_is_told_so() {
    const auto quiet = execute({kCli, "run", "--fail-on-leak", "--clean", "true"});
    QCOMPARE(quiet.status, 0);
    QVERIFY2(quiet.err.contains("left no segments"), qPrintable(quiet.err));
    const auto report = report_of(execute(run({"sh", "-c", "echo said; echo wrong >&2"})));
    QCOMPARE(report["status"].toInt(-1), 0);
    QVERIFY(report["surveyed"].toBool());
    QVERIFY(report["left"].toArray().isEmpty());
}

void Run::what_python_leaves_is_told_and_cleaned() {
    if (!QFile::exists(kPython)) QSKIP("there is no Python");
    // As a program that crashes, and as one whose library gave the cleaning up.
    const auto script = [this](const QString& end, const QString& last) {
        return QString(
                   "import os\n"
                   "from multiprocessing import shared_memory, resource_tracker\n"
                   "memory = shared_memory.SharedMemory('%1', create=True, size=1 << 20)\n"
                   "memory.buf[:4] = b'left'\n"
                   "resource_tracker.unregister(memory._name, 'shared_memory')\n%2\n")
            .arg(name(end), last);
    };
    const auto crashed =
        execute(run({"--clean", kPython, "-c", script("a", "os.kill(os.getpid(), 9)")}));
    QCOMPARE(crashed.status, 137);
    const auto report = report_of(crashed);
    QCOMPARE(report["signal"].toInt(), 9);
    QCOMPARE(names_in(report, "left"), QStringList{name("a")});
    QVERIFY2(item_named(report, "left", name("a"))["removed"].toBool(), qPrintable(crashed.err));
    QVERIFY(!there(name("a")));

    const auto left =
        execute({kCli, "run", "--fail-on-leak", "--", kPython, "-c", script("b", "os._exit(0)")});
    QCOMPARE(left.status, 5);
    QVERIFY2(left.err.contains(name("b").left(20)) && left.err.contains("1 MiB"),
             qPrintable(left.err));
    QVERIFY2(left.err.contains("python3 ("), qPrintable(left.err));
    QVERIFY(there(name("b")));
}

void Run::a_system_v_segment_is_its_creators() {
    const auto done = execute(run({"--fail-on-leak", kLeaker, "sysv"}));
    const auto segment = table_segment(done.out);
    const auto report = report_of(done);
    if (report["attribution"].toString() == "looks") QSKIP("the kernel gives no records here");
    QVERIFY2(done.status == 5, qPrintable(done.err));
    QVERIFY(names_in(report, "left").contains(segment));
    QCOMPARE(how(item_named(report, "left", segment)), QString("created"));

    const auto cleaned = execute(run({"--clean", kLeaker, "sysv", "attach"}));
    const auto second = table_segment(cleaned.out);
    QVERIFY2(item_named(report_of(cleaned), "left", second)["removed"].toBool(),
             qPrintable(cleaned.err));
    struct shmid_ds state {};
    QCOMPARE(::shmctl(tables_.back(), IPC_STAT, &state), -1);
    QCOMPARE(::shmctl(tables_.front(), IPC_STAT, &state), 0);
}

void Run::what_a_daemon_uses_is_told_and_kept() {
    const auto done = execute(
        run({"--clean", "--fail-on-leak", kLeaker, "map", name("a"), "daemon", "pid", "wait"}));
    // The daemon may say its number after that.
    const auto report = report_of(done);
    QVERIFY2(done.status == 5, qPrintable(done.err));
    const auto daemon = report["running"].toArray().first().toObject();
    end_later(QString::number(daemon["pid"].toInteger()));
    QCOMPARE(report["running"].toArray().size(), 1);
    QCOMPARE(daemon["uses"].toArray().first().toString(), name("a"));
    const auto left = item_named(report, "left", name("a"));
    QVERIFY(used_by(left, daemon["pid"].toInteger()));
    QCOMPARE(left["removed"].toBool(true), false);
    QVERIFY(there(name("a")));
    QVERIFY(::kill(static_cast<pid_t>(daemon["pid"].toInteger()), 0) == 0);
}

void Run::what_a_daemon_may_come_back_to_is_kept() {
    // It has the segment attached for microseconds, in processes of their own.
    const auto words = QString("'%1' sysv daemon poll & wait").arg(kLeaker);
    const auto done = execute(run({"--clean", "sh", "-c", words}));
    const auto report = report_of(done);
    const auto segment = table_segment(done.out);
    QList<qint64> running;
    for (const auto& process : report["running"].toArray())
        running += process.toObject()["pid"].toInteger();
    for (const auto pid : running) end_later(QString::number(pid));
    QVERIFY2(!running.isEmpty(), qPrintable(done.err));
    struct shmid_ds state {};
    QVERIFY2(::shmctl(tables_.back(), IPC_STAT, &state) == 0, qPrintable(done.err));
    const auto left = item_named(report, "left", segment);
    if (report["attribution"].toString() == "looks") return;
    QVERIFY2(left["reason"].toString().contains("still runs") ||
                 left["reason"].toString().contains("in use"),
             qPrintable(done.err));
}

void Run::what_a_killed_program_leaves_is_told() {
    const auto peer = start(run({kLeaker, "map", name("a"), "pid", "wait"}));
    const auto pid = peer->line().toInt();
    QVERIFY(pid > 0);
    QCOMPARE(::kill(pid, SIGKILL), 0);
    const auto done = peer->wait();
    QCOMPARE(done.status, 128 + SIGKILL);
    const auto report = report_of(done);
    QCOMPARE(report["signal"].toInt(), SIGKILL);
    QCOMPARE(names_in(report, "left"), QStringList{name("a")});
}

void Run::two_runs_at_once_name_their_own_only() {
    constexpr int kRounds = 20;
    const auto words = [this](const QString& mine) {
        return run({"sh", "-c",
                    QString("for i in $(seq %1); do '%2' map %3$i-%4 sysv; done")
                        .arg(kRounds)
                        .arg(kLeaker, made_, mine)});
    };
    const auto first = start(words("a")), second = start(words("b"));
    for (const auto& [peer, mine] : {std::pair(first.get(), 'a'), std::pair(second.get(), 'b')}) {
        const auto done = peer->wait();
        QStringList wanted;
        for (int round = 1; round <= kRounds; ++round)
            wanted += QString("%1%2-%3").arg(made_).arg(round).arg(mine);
        for (const auto& id : done.out.trimmed().split('\n')) wanted += table_segment(id);
        wanted.sort();
        const auto report = report_of(done);
        if (report["attribution"].toString() == "looks") QSKIP("the kernel gives no records here");
        QCOMPARE(names_in(report, "left"), wanted);
    }
}

void Run::what_others_make_meanwhile_is_possible_only() {
    const auto peer = start(run({"--clean", "--fail-on-leak", "sh", "-c", "echo ready; read end"}));
    QCOMPARE(peer->line(), QString("ready"));
    const auto others = execute({kLeaker, "map", name("a"), "sysv"});
    QCOMPARE(others.status, 0);
    const auto table = table_segment(others.out);
    peer->say("end");
    const auto done = peer->wait();
    QVERIFY2(done.status == 0, qPrintable(done.err));
    const auto report = report_of(done);
    QVERIFY(report["left"].toArray().isEmpty());
    const auto possible = names_in(report, "possible");
    QVERIFY2(possible.contains(name("a")) && possible.contains(table), qPrintable(done.err));
    QCOMPARE(item_named(report, "possible", name("a"))["removed"].toBool(true), false);
    QVERIFY(there(name("a")));
    struct shmid_ds state {};
    QCOMPARE(::shmctl(tables_.back(), IPC_STAT, &state), 0);
}

void Run::what_others_made_and_the_command_opened_is_possible_only() {
    if (!is_root()) QSKIP("who opened it first is told to root alone");
    const auto script = QString("echo ready; read end; '%1' use %2").arg(kLeaker, name("a"));
    const auto peer = start(run({"--clean", "--fail-on-leak", "sh", "-c", script}));
    QCOMPARE(peer->line(), QString("ready"));
    QCOMPARE(execute({kLeaker, "map", name("a")}).status, 0);
    peer->say("end");
    const auto done = peer->wait();
    const auto report = report_of(done);
    if (report["attribution"].toString() != "exact") QSKIP("the kernel does not tell here");
    QVERIFY2(done.status == 0, qPrintable(done.err));
    QVERIFY(names_in(report, "possible").contains(name("a")));
    QVERIFY(!item_named(report, "possible", name("a"))["seen"].toArray().isEmpty());
    QVERIFY(there(name("a")));
}

void Run::what_was_there_before_is_not_told() {
    QCOMPARE(execute({kLeaker, "map", name("a")}).status, 0);
    const auto report = report_of(execute(run({"--clean", kLeaker, "map", name("a")})));
    QVERIFY(!names_in(report, "left").contains(name("a")));
    QVERIFY(!names_in(report, "possible").contains(name("a")));
    QVERIFY(there(name("a")));
}

void Run::a_segment_in_a_directory_is_told() {
    const auto shell =
        QString("mkdir /dev/shm/%1 && exec 3>/dev/shm/%1/b && echo x >&3").arg(name("d"));
    const auto report = report_of(execute(run({"sh", "-c", shell})));
    if (report["attribution"].toString() != "exact") QSKIP("who only opens is told to root alone");
    QCOMPARE(names_in(report, "left"), QStringList{name("d") + "/b"});
}

void Run::the_status_is_the_commands_data() {
    QTest::addColumn<QStringList>("command");
    QTest::addColumn<int>("status");
    QTest::newRow("done") << QStringList{"true"} << 0;
    QTest::newRow("3") << QStringList{"sh", "-c", "exit 3"} << 3;
    QTest::newRow("255") << QStringList{"sh", "-c", "exit 255"} << 255;
    QTest::newRow("its own 5") << QStringList{"sh", "-c", "exit 5"} << 5;
    QTest::newRow("not executable") << QStringList{"/etc/passwd"} << 126;
    QTest::newRow("a directory") << QStringList{"/etc"} << 126;
    QTest::newRow("not found") << QStringList{"snakepit-no-such-program"} << 127;
    QTest::newRow("no such path") << QStringList{"/no/such/program"} << 127;
    QTest::newRow("killed") << QStringList{kLeaker, "abort"} << 137;
    QTest::newRow("terminated") << QStringList{"sh", "-c", "kill $$"} << 143;
}

void Run::the_status_is_the_commands() {
    QFETCH(QStringList, command);
    QFETCH(int, status);
    for (const auto& option :
         {QStringList{}, QStringList{"--fail-on-leak", "--clean"}, QStringList{"--isolate"}}) {
        const auto done = execute(QStringList{kCli, "run"} + option + QStringList{"--"} + command);
        QVERIFY2(done.status == status, qPrintable(QString::number(done.status) + done.err));
        QVERIFY(!done.err.isEmpty());
    }
}

void Run::a_leak_fails_a_pipeline() {
    const auto piped = [this](const QString& end, const QString& options) {
        return execute({"bash", "-c",
                        QString("set -o pipefail; '%1' run %2 -- '%3' map %4 pid | cat >/dev/null")
                            .arg(kCli, options, kLeaker, name(end))});
    };
    const auto failed = piped("a", "--fail-on-leak");
    QVERIFY2(failed.status == 5, qPrintable(failed.err));
    QVERIFY2(piped("b", "").status == 0, "without the option a leak is no failure");
    const auto stopped = execute({"bash", "-ec",
                                  QString("'%1' run --fail-on-leak '%2' map %3; echo went on")
                                      .arg(kCli, kLeaker, name("c"))});
    QCOMPARE(stopped.status, 5);
    QVERIFY(!stopped.out.contains("went on"));
}

void Run::a_leak_does_not_hide_a_failure() {
    const auto done = execute(run({"--fail-on-leak", kLeaker, "map", name("a"), "exit", "3"}));
    QCOMPARE(done.status, 3);
    QVERIFY(there(name("a")));
}

void Run::isolated_nothing_is_missed_and_nothing_stays_data() {
    QTest::addColumn<bool>("as_root");
    QTest::newRow("user") << false;
    QTest::newRow("root") << true;
}

void Run::isolated_nothing_is_missed_and_nothing_stays() {
    QFETCH(bool, as_root);
    if (as_root && !is_root()) QSKIP("needs root");
    const auto words = run({"--isolate", "--fail-on-leak", "--", "sh", "-c",
                            QString("ls /dev/shm; '%1' open %2; '%1' map %3 sysv")
                                .arg(kLeaker, name("a"), name("b"))});
    const auto done = execute(as_root ? words : as_user(words));
    if (done.status == 125) QSKIP("user namespaces are not allowed here");
    QVERIFY2(done.status == 5, qPrintable(QString::number(done.status) + done.err));
    const auto report = report_of(done);
    QCOMPARE(report["attribution"].toString(), QString("isolated"));
    // Nothing of the host's was listed, so the number is the only line.
    const auto table = "sysv:" + done.out.trimmed();
    QCOMPARE(names_in(report, "left"), (QStringList{name("a"), name("b"), table}));
    for (const auto& item : report["left"].toArray()) QVERIFY(item.toObject()["removed"].toBool());
    QVERIFY(report["possible"].toArray().isEmpty());
    QVERIFY(!there(name("a")) && !there(name("b")));
}

void Run::an_isolated_daemon_keeps_what_it_uses() {
    const auto done =
        execute(as_user(run({"--isolate", kLeaker, "map", name("a"), "daemon", "wait"})));
    if (done.status == 125) QSKIP("user namespaces are not allowed here");
    const auto report = report_of(done);
    const auto daemon = report["running"].toArray().first().toObject();
    const auto pid = daemon["pid"].toInteger();
    end_later(QString::number(pid));
    QVERIFY2(pid > 0, qPrintable(done.err));
    QCOMPARE(daemon["uses"].toArray().first().toString(), name("a"));
    QCOMPARE(item_named(report, "left", name("a"))["removed"].toBool(true), false);
    if (is_root())
        QVERIFY(QFile::exists(QString("/proc/%1/root/dev/shm/%2").arg(pid).arg(name("a"))));
}

void Run::isolated_the_users_are_who_they_are() {
    const QStringList who{"sh", "-c", "id -u; id -g; stat -f -c %b /dev/shm; stat -c %a /dev/shm"};
    for (const bool root : {true, false}) {
        if (root && !is_root()) continue;
        const auto isolated = QStringList{kCli, "run", "--isolate", "--"} + who;
        const auto inside = execute(root ? isolated : as_user(isolated));
        if (inside.status == 125) QSKIP("user namespaces are not allowed here");
        QCOMPARE(inside.out, execute(root ? who : as_user(who)).out);
    }
    if (!is_root()) return;
    const auto other = execute(QStringList{kCli, "run", "--isolate"} + as_user({"id", "-u"}));
    QCOMPARE(other.out.trimmed(), QString::number(kUser));
}

void Run::without_user_namespaces_isolation_is_refused() {
    if (!is_root()) QSKIP("needs root");
    const auto script = QString(
                            "echo 0 > /proc/sys/user/max_user_namespaces && "
                            "exec '%1' run --isolate -- echo started")
                            .arg(kCli);
    const auto done = execute({"unshare", "-U", "-r", "sh", "-c", script});
    QVERIFY2(done.status == 125, qPrintable(QString::number(done.status) + done.err));
    QVERIFY2(done.err.contains("user.max_user_namespaces"), qPrintable(done.err));
    QCOMPARE(done.out, QString());
}

void Run::signals_reach_the_command_data() {
    QTest::addColumn<int>("signal");
    QTest::addColumn<QString>("until");
    QTest::addColumn<int>("status");
    QTest::newRow("TERM, handled") << SIGTERM << "stay" << 7;
    QTest::newRow("TERM") << SIGTERM << "wait" << 128 + SIGTERM;
    QTest::newRow("INT") << SIGINT << "wait" << 128 + SIGINT;
    QTest::newRow("HUP") << SIGHUP << "wait" << 128 + SIGHUP;
    QTest::newRow("QUIT") << SIGQUIT << "wait" << 128 + SIGQUIT;
    QTest::newRow("USR1") << SIGUSR1 << "wait" << 128 + SIGUSR1;
}

void Run::signals_reach_the_command() {
    QFETCH(int, signal);
    QFETCH(QString, until);
    QFETCH(int, status);
    for (const auto& option : {QStringList{}, QStringList{"--isolate"}}) {
        const auto peer = start(QStringList{kCli, "run", "--json"} + option +
                                QStringList{"--", kLeaker, "map", name("a"), "pid", until});
        QVERIFY(peer->line().toInt() > 0);
        if (until == "stay") QCOMPARE(peer->line(), QString("stays"));
        const auto done = peer->end(signal);
        QVERIFY2(done.status == status, qPrintable(QString::number(done.status) + done.err));
        QVERIFY(names_in(report_of(done), "left").contains(name("a")));
        QFile::remove("/dev/shm/" + name("a"));
    }
}

void Run::a_signal_to_the_whole_group_comes_once() {
    // The shell leads a group of its own, with us and the command in it.
    for (const bool whole_group : {true, false, true, false}) {
        const auto peer = start({"setsid", "-w", kCli, "run", "--json", kLeaker, "pid", "count"});
        const auto pid = peer->line().toInt();
        QCOMPARE(peer->line(), QString("counts"));
        const auto group = ::getpgid(pid);
        QVERIFY(group > 1 && group != ::getpgrp() && group != pid);
        QCOMPARE(::kill(whole_group ? -group : group, SIGUSR1), 0);
        // The second signal is passed on after the first one, if that is.
        QCOMPARE(::kill(group, SIGUSR2), 0);
        QCOMPARE(peer->line(), QString("1"));
        QCOMPARE(::kill(pid, SIGTERM), 0);
        QCOMPARE(peer->wait().status, 1);
    }
}

// A shell with job control sees its job stop, also when the command stops only itself.
void Run::a_stopped_command_stops_the_job() {
    if (!QFile::exists(kPython)) QSKIP("there is no Python");
    const QString script =
        "import os, pty, signal, sys\n"
        "pid, terminal = pty.fork()\n"
        "if pid == 0:\n"
        "    job = os.fork()\n"
        "    if job == 0:\n"
        "        os.setpgid(0, 0)\n"
        "        signal.signal(signal.SIGTTOU, signal.SIG_IGN)\n"
        "        os.tcsetpgrp(0, os.getpid())\n"
        "        signal.signal(signal.SIGTTOU, signal.SIG_DFL)\n"
        "        os.execv(sys.argv[1], sys.argv[1:])\n"
        "    _, status = os.waitpid(job, os.WUNTRACED)\n"
        "    stopped = os.WIFSTOPPED(status)\n"
        "    os.kill(job, signal.SIGCONT)\n"
        "    _, status = os.waitpid(job, 0)\n"
        "    os._exit(os.WEXITSTATUS(status) if stopped else 99)\n"
        "while True:\n"
        "    try: os.read(terminal, 4096)\n"
        "    except OSError: break\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    const auto done =
        execute({kPython, "-c", script, kCli, "run", "sh", "-c", "kill -TSTP $$; exit 6"});
    QVERIFY2(done.status == 6, qPrintable(QString::number(done.status) + done.err));
}

void Run::a_command_that_closes_everything_is_followed() {
    const auto done = execute(run({"--fail-on-leak", kLeaker, "shut", "map", name("a")}));
    QVERIFY2(done.status == 5, qPrintable(done.err));
    QCOMPARE(names_in(report_of(done), "left"), QStringList{name("a")});
}

void Run::a_command_with_a_session_of_its_own_is_followed() {
    const auto peer =
        start(run({"--fail-on-leak", kLeaker, "session", "map", name("a"), "pid", "stay"}));
    QVERIFY(peer->line().toInt() > 0);
    QCOMPARE(peer->line(), QString("stays"));
    const auto done = peer->end(SIGTERM);
    QCOMPARE(done.status, 7);
    QCOMPARE(names_in(report_of(done), "left"), QStringList{name("a")});
}

void Run::a_command_that_changes_its_user_is_followed() {
    if (!is_root()) QSKIP("needs root");
    const auto done = execute(run(as_user({kLeaker, "map", name("a")})));
    QCOMPARE(names_in(report_of(done), "left"), QStringList{name("a")});
}

void Run::without_records_what_lives_is_seen() {
    const auto words = QStringList{kLeaker, "refuse", "exec"} +
                       run({"--clean", kLeaker, "map", name("a"), "sysv", "daemon", "wait"});
    for (const bool root : {true, false}) {
        if (root && !is_root()) continue;
        const auto done = execute(root ? words : as_user(words));
        const auto report = report_of(done);
        QCOMPARE(report["attribution"].toString(), QString("looks"));
        const auto daemon = report["running"].toArray().first().toObject();
        end_later(QString::number(daemon["pid"].toInteger()));
        const auto table = table_segment(done.out);
        QVERIFY2(names_in(report, "left").contains(name("a")), qPrintable(done.err));
        QVERIFY(there(name("a")));
        // Its creator ended within a millisecond: it may have been seen or not.
        QVERIFY(names_in(report, "left").contains(table) ||
                names_in(report, "possible").contains(table));
        cleanup();
    }
}

void Run::the_command_inherits_what_it_would_data() {
    QTest::addColumn<QString>("before");
    QTest::newRow("plain") << "true";
    QTest::newRow("signals ignored") << "trap '' PIPE CHLD USR1 XFSZ";
    QTest::newRow("input closed") << "exec 0<&-";
    QTest::newRow("a descriptor more") << "exec 7</dev/null";
    QTest::newRow("umask and limits") << "umask 027; ulimit -n 333; ulimit -c 0";
    QTest::newRow("variables") << "export A='b c'; unset HOME";
}

void Run::the_command_inherits_what_it_would() {
    QFETCH(QString, before);
    // Process group, session, terminal, niceness, signals, descriptors, limits, variables.
    const QString look =
        "cut -d' ' -f5-8,18,19 /proc/self/stat; grep ^Sig[PBIC] /proc/self/status; "
        "in=$(readlink /proc/self/fd/0); echo ${in%%:*}; ls /proc/self/fd; umask; ulimit -a; "
        "env | grep -v ^_=; pwd";
    const auto answer = [&](const QString& prefix) {
        return execute({"bash", "-c", before + "; exec " + prefix + " bash -c \"$0\"", look}).out;
    };
    const auto plain = answer("");
    QVERIFY(plain.contains("SigIgn"));
    QCOMPARE(answer("'" + kCli + "' run --"), plain);
    QCOMPARE(answer("'" + kCli + "' run --clean"), plain);
}

void Run::words_behind_the_command_are_its_own() {
    const QStringList words{"--json", "--clean", "--", "--fail-on-leak", "[a,b]", "", "%%", "run",
                            "list",   "--help",  "-V", "--report",       "x"};
    const QStringList print{"printf", "<%s>"};
    const auto wanted = execute(print + words).out;
    QVERIFY(wanted.contains("<[a,b]><>"));
    QCOMPARE(execute(QStringList{kCli, "run"} + print + words).out, wanted);
    QCOMPARE(execute(QStringList{kCli, "run", "--"} + print + words).out, wanted);
    QCOMPARE(
        execute(QStringList{kCli, "--instance", "x", "run", "--clean", "--"} + print + words).out,
        wanted);
}

void Run::a_report_is_written_whole_or_the_command_is_not_started() {
    const auto file = host_.path("report.json");
    const QStringList leak{"--", kLeaker, "map", name("a"), "pid"};
    const auto first = execute(QStringList{kCli, "run", "--report", file} + leak);
    QCOMPARE(first.status, 0);
    QFile report(file);
    QVERIFY(report.open(QIODevice::ReadOnly));
    const auto document = QJsonDocument::fromJson(report.readAll()).object();
    QCOMPARE(names_in(document, "left"), QStringList{name("a")});
    QCOMPARE(document["command"].toArray().first().toString(), kLeaker);
    report.close();

    for (const auto& target : {file, QString("/dev/null"), host_.path(""), QString("/no/such/x")}) {
        const auto refused = execute(QStringList{kCli, "run", "--report", target} + leak);
        QVERIFY2(refused.status == 125, qPrintable(target + refused.err));
        QCOMPARE(refused.out, QString());
    }
    const auto forced =
        execute({kCli, "run", "--report", file, "--force", "--isolate", "--", "true"});
    QCOMPARE(forced.status, 0);
    QVERIFY(report.open(QIODevice::ReadOnly));
    QCOMPARE(QJsonDocument::fromJson(report.readAll()).object()["attribution"].toString(),
             QString("isolated"));
    const auto printed = execute({kCli, "run", "--report", "-", "true"});
    QVERIFY(!printed.json().isEmpty());
}

void Run::wrong_words_are_told() {
    for (const auto& words : {QStringList{}, QStringList{"--clean"}, QStringList{"--"},
                              QStringList{"--unknown", "true"}}) {
        const auto refused = execute(QStringList{kCli, "run"} + words);
        QVERIFY2(refused.status == 2, qPrintable(words.join(' ') + refused.err));
        QVERIFY2(refused.err.contains("help run"), qPrintable(refused.err));
    }
    const auto help = execute({kCli, "run", "--help"});
    QCOMPARE(help.status, 0);
    for (const auto* option :
         {"--clean", "--fail-on-leak", "--isolate", "--report", "COMMAND", "125"})
        QVERIFY2(help.out.contains(option), option);
}

QTEST_GUILESS_MAIN(Run)
#include "tst_run.moc"
