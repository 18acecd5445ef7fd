// SPDX-License-Identifier: MIT
// `snakepit-shm run`: a command notices nothing of it, and its caller sees what it would without.
#include <QtTest>

#include <csignal>

#include "run_fixture.h"

using namespace snakepit::shm::test;

class RunCommand : public QObject, private Leavings {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { remove(); }

    void the_status_is_the_commands_data();
    void the_status_is_the_commands();
    void a_leak_fails_a_pipeline();
    void a_leak_does_not_hide_a_failure();
    void signals_reach_the_command_data();
    void signals_reach_the_command();
    void a_signal_to_the_whole_group_comes_once();
    void a_stopped_command_stops_the_job();
    void a_command_that_closes_everything_is_followed();
    void a_command_with_a_session_of_its_own_is_followed();
    void a_command_that_changes_its_user_is_followed();
    void the_command_inherits_what_it_would_data();
    void the_command_inherits_what_it_would();
    void words_behind_the_command_are_its_own();
    void a_report_is_written_whole_or_the_command_is_not_started();
    void wrong_words_are_told();
};

void RunCommand::the_status_is_the_commands_data() {
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

void RunCommand::the_status_is_the_commands() {
    QFETCH(QStringList, command);
    QFETCH(int, status);
    for (const auto* end : {">&-", ">/dev/full"}) {
        const auto unread = QString("exec 2%1; \"$0\" run -- \"$@\"").arg(end);
        QCOMPARE(execute(QStringList{"bash", "-c", unread, kCli} + command).status, status);
    }
    for (const auto& option :
         {QStringList{}, QStringList{"--fail-on-leak", "--clean"}, QStringList{"--isolate"}}) {
        const auto done = execute(QStringList{kCli, "run"} + option + QStringList{"--"} + command);
        QVERIFY2(done.status == status, qPrintable(QString::number(done.status) + done.err));
        QVERIFY(!done.err.isEmpty());
    }
}

void RunCommand::a_leak_fails_a_pipeline() {
    const auto piped = [this](const QString& end, const QString& options) {
        return execute({"bash", "-c",
                        QString("set -o pipefail; '%1' run %2 -- '%3' map %4 pid | cat >/dev/null")
                            .arg(kCli, options, kLeaker, name(end))});
    };
    const auto failed = piped("a", "--fail-on-leak");
    QVERIFY2(failed.status == 5, qPrintable(failed.err));
    QVERIFY2(piped("b", "").status == 0, "without the option a leak is not a failure");
    const auto stopped = execute({"bash", "-ec",
                                  QString("'%1' run --fail-on-leak '%2' map %3; echo went on")
                                      .arg(kCli, kLeaker, name("c"))});
    QCOMPARE(stopped.status, 5);
    QVERIFY(!stopped.out.contains("went on"));
}

void RunCommand::a_leak_does_not_hide_a_failure() {
    const auto done = execute(run({"--fail-on-leak", kLeaker, "map", name("a"), "exit", "3"}));
    QCOMPARE(done.status, 3);
    QVERIFY(there(name("a")));
}

void RunCommand::signals_reach_the_command_data() {
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

void RunCommand::signals_reach_the_command() {
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

void RunCommand::a_signal_to_the_whole_group_comes_once() {
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
void RunCommand::a_stopped_command_stops_the_job() {
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

void RunCommand::a_command_that_closes_everything_is_followed() {
    const auto done = execute(run({"--fail-on-leak", kLeaker, "shut", "map", name("a")}));
    QVERIFY2(done.status == 5, qPrintable(done.err));
    QCOMPARE(names_in(report_of(done), "left"), QStringList{name("a")});
}

void RunCommand::a_command_with_a_session_of_its_own_is_followed() {
    const auto peer =
        start(run({"--fail-on-leak", kLeaker, "session", "map", name("a"), "pid", "stay"}));
    QVERIFY(peer->line().toInt() > 0);
    QCOMPARE(peer->line(), QString("stays"));
    const auto done = peer->end(SIGTERM);
    QCOMPARE(done.status, 7);
    QCOMPARE(names_in(report_of(done), "left"), QStringList{name("a")});
}

void RunCommand::a_command_that_changes_its_user_is_followed() {
    if (!is_root()) QSKIP("needs root");
    const auto done = execute(run(as_user({kLeaker, "map", name("a")})));
    QCOMPARE(names_in(report_of(done), "left"), QStringList{name("a")});
}

void RunCommand::the_command_inherits_what_it_would_data() {
    QTest::addColumn<QString>("before");
    QTest::newRow("plain") << "true";
    QTest::newRow("signals ignored") << "trap '' PIPE CHLD USR1 XFSZ";
    QTest::newRow("input closed") << "exec 0<&-";
    QTest::newRow("a descriptor more") << "exec 7</dev/null";
    QTest::newRow("umask and limits") << "umask 027; ulimit -n 333; ulimit -c 0";
    QTest::newRow("variables") << "export A='b c'; unset HOME";
}

void RunCommand::the_command_inherits_what_it_would() {
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

void RunCommand::words_behind_the_command_are_its_own() {
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

void RunCommand::a_report_is_written_whole_or_the_command_is_not_started() {
    const auto file = host.path("report.json");
    const QStringList leak{"--", kLeaker, "map", name("a"), "pid"};
    const auto first = execute(QStringList{kCli, "run", "--report", file} + leak);
    QCOMPARE(first.status, 0);
    QFile report(file);
    QVERIFY(report.open(QIODevice::ReadOnly));
    const auto document = QJsonDocument::fromJson(report.readAll()).object();
    QCOMPARE(names_in(document, "left"), QStringList{name("a")});
    QCOMPARE(document["command"].toArray().first().toString(), kLeaker);
    report.close();

    for (const auto& target : {file, QString("/dev/null"), host.path(""), QString("/no/such/x")}) {
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

void RunCommand::wrong_words_are_told() {
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

QTEST_GUILESS_MAIN(RunCommand)
#include "tst_run_command.moc"
