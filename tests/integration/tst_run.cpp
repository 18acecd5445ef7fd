// SPDX-License-Identifier: MIT
// `snakepit-shm run`: which segments are the command's, which only may be, and which go; with real
// programs that leave segments, or leave none, or go on.
#include <fcntl.h>
#include <sys/shm.h>
#include <sys/stat.h>

#include <QFileInfo>
#include <QScopeGuard>
#include <QtTest>

#include "host_view.h"
#include "run_fixture.h"

using namespace snakepit::shm::test;

namespace {

// How the first process was seen to have it.
QString how(const QJsonObject& item) {
    return item["seen"].toArray().first().toObject()["how"].toString();
}

}  // namespace

class Run : public QObject, private Leavings {
    Q_OBJECT

  private Q_SLOTS:
    void init() { begin(); }
    void cleanup() { remove(); }

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
    void what_others_created_without_opening_it_is_possible_only_data();
    void what_others_created_without_opening_it_is_possible_only();
    void what_others_created_and_the_command_attached_is_possible_only();
    void what_lay_too_deep_to_be_listed_before_is_not_the_commands();
    void what_is_an_estimate_is_called_so();
    void what_others_used_meanwhile_stays();
    void what_others_may_have_used_stays_if_that_is_not_told();
    void what_others_attached_meanwhile_stays();
    void what_a_living_process_of_the_command_may_open_stays();
    void what_was_there_before_is_not_told();
    void what_goes_with_its_users_is_not_left();
    void a_strangers_number_in_a_name_keeps_nothing();
    void a_segment_in_a_directory_is_told();
    void isolated_nothing_is_missed_and_nothing_stays_data();
    void isolated_nothing_is_missed_and_nothing_stays();
    void an_isolated_daemon_keeps_what_it_uses();
    void isolated_the_users_are_who_they_are();
    void without_user_namespaces_isolation_is_refused();
    void without_records_what_lives_is_seen();
};

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
    QCOMPARE(::shmctl(last_table(), IPC_STAT, &state), -1);
    QCOMPARE(::shmctl(first_table(), IPC_STAT, &state), 0);
}

void Run::what_a_daemon_uses_is_told_and_kept() {
    const auto done = execute(
        run({"--clean", "--fail-on-leak", kLeaker, "map", name("a"), "daemon", "pid", "wait"}));
    // The daemon may say its number after that.
    const auto report = report_of(done);
    QVERIFY2(done.status == 5, qPrintable(done.err));
    const auto daemon = report["running"].toArray().first().toObject();
    end_later(daemon["pid"].toInteger());
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
    for (const auto pid : running) end_later(pid);
    QVERIFY2(!running.isEmpty(), qPrintable(done.err));
    struct shmid_ds state {};
    QVERIFY2(::shmctl(last_table(), IPC_STAT, &state) == 0, qPrintable(done.err));
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
                        .arg(kLeaker, name({}), mine)});
    };
    const auto first = start(words("a")), second = start(words("b"));
    for (const auto& [peer, mine] : {std::pair(first.get(), 'a'), std::pair(second.get(), 'b')}) {
        const auto done = peer->wait();
        QStringList wanted;
        for (int round = 1; round <= kRounds; ++round)
            wanted += QString("%1%2-%3").arg(name({})).arg(round).arg(mine);
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
    QCOMPARE(::shmctl(last_table(), IPC_STAT, &state), 0);
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

void Run::what_others_created_without_opening_it_is_possible_only_data() {
    QTest::addColumn<QString>("how");
    QTest::newRow("mknod") << "mknod";
    QTest::newRow("nameless before, linked meanwhile") << "link";
    QTest::newRow("nameless meanwhile, linked meanwhile") << "nameless";
}

void Run::what_others_created_without_opening_it_is_possible_only() {
    if (!is_root()) QSKIP("who created it is told to root alone");
    QFETCH(QString, how);
    const auto path = ("/dev/shm/" + name("a")).toUtf8();
    int nameless = -1;
    const auto closed = qScopeGuard([&] { ::close(nameless); });
    const auto make = [&] {
        nameless = ::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        QVERIFY(nameless >= 0 && ::write(nameless, "x", 1) == 1);
    };
    if (how == "link") make();
    const auto script = QString("echo ready; read end; '%1' use %2").arg(kLeaker, name("a"));
    const auto peer = start(run({"--clean", "--fail-on-leak", "sh", "-c", script}));
    QCOMPARE(peer->line(), QString("ready"));
    if (how == "nameless") make();
    if (how == "mknod")
        QCOMPARE(::mknod(path, S_IFREG | 0600, 0), 0);
    else
        QCOMPARE(::linkat(AT_FDCWD, QByteArray("/proc/self/fd/" + QByteArray::number(nameless)),
                          AT_FDCWD, path, AT_SYMLINK_FOLLOW),
                 0);
    ::close(std::exchange(nameless, -1));
    peer->say("end");
    const auto done = peer->wait();
    const auto report = report_of(done);
    if (report["attribution"].toString() != "exact") QSKIP("the kernel does not tell here");
    QVERIFY2(there(name("a")), qPrintable(done.err));
    QVERIFY2(done.status == 0, qPrintable(done.err));
    QVERIFY2(names_in(report, "possible").contains(name("a")), qPrintable(done.err));
}

void Run::what_others_created_and_the_command_attached_is_possible_only() {
    const auto script = QString("echo ready; read id; '%1' take $id attach").arg(kLeaker);
    const auto peer = start(run({"--clean", "--fail-on-leak", "sh", "-c", script}));
    QCOMPARE(peer->line(), QString("ready"));
    const int id = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    const auto table = table_segment(QString::number(id));
    peer->say(QString::number(id));
    const auto done = peer->wait();
    struct shmid_ds state {};
    QVERIFY2(::shmctl(id, IPC_STAT, &state) == 0, qPrintable(done.err));
    QVERIFY2(done.status == 0, qPrintable(done.err));
    QVERIFY2(names_in(report_of(done), "possible").contains(table), qPrintable(done.err));
}

// So deep that it is not listed before the command starts.
void Run::what_lay_too_deep_to_be_listed_before_is_not_the_commands() {
    auto deep = name("d");
    for (int level = 1; level <= 18; ++level) deep += QString("/d%1").arg(level);
    QVERIFY(QDir("/dev/shm").mkpath(deep));
    QFile file("/dev/shm/" + deep + "/old");
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write("precious") == 8);
    file.close();
    for (const auto& words : {QStringList{"cat", file.fileName()},
                              QStringList{"sh", "-c", "exec 3<>" + file.fileName()}}) {
        const auto done = execute(run(QStringList{"--clean", "--fail-on-leak", "--"} + words));
        QVERIFY2(file.exists(), qPrintable(done.err));
        const auto report = report_of(done);
        QVERIFY2(names_in(report, "left").isEmpty(), qPrintable(done.err));
        // Other programs' files may come meanwhile.
        QVERIFY2(names_in(report, "possible").filter(name("")).isEmpty(), qPrintable(done.err));
    }
}

void Run::what_is_an_estimate_is_called_so() {
    const QStringList leak{kLeaker, "map", name("a")};
    for (const bool known : {true, false}) {
        const auto words = known ? run(leak) : QStringList{kLeaker, "refuse", "exec"} + run(leak);
        const auto report = report_of(execute(as_user(words)));
        QStringList notes;
        for (const auto& note : report["notes"].toArray()) notes += note.toString();
        QVERIFY2(notes.join('\n').contains("is an estimate"), qPrintable(notes.join('\n')));
        QFile::remove("/dev/shm/" + name("a"));
    }
    const auto isolated = report_of(execute(as_user(run(QStringList{"--isolate", "--"} + leak))));
    if (isolated["attribution"].toString() != "isolated") QSKIP("no user namespaces here");
    QVERIFY(isolated["notes"].toArray().isEmpty());
}

void Run::what_others_used_meanwhile_stays() {
    if (!is_root()) QSKIP("who opened it is told to root alone");
    const auto script = QString("'%1' map %2; echo ready; read end").arg(kLeaker, name("a"));
    const auto peer = start(run({"--clean", "sh", "-c", script}));
    QCOMPARE(peer->line(), QString("ready"));
    {
        QFile file("/dev/shm/" + name("a"));
        QVERIFY(file.open(QIODevice::ReadOnly));
    }
    peer->say("end");
    const auto done = peer->wait();
    const auto report = report_of(done);
    if (report["attribution"].toString() != "exact") QSKIP("the kernel does not tell here");
    QVERIFY2(there(name("a")), qPrintable(done.err));
    const auto reason = item_named(report, "left", name("a"))["reason"].toString();
    QVERIFY2(reason.contains(QString("process %1 (").arg(::getpid())) &&
                 reason.contains("does not belong to the command"),
             qPrintable(done.err));
}

void Run::what_others_may_have_used_stays_if_that_is_not_told() {
    const auto script = QString("'%1' map %2 map %3; echo ready; read end")
                            .arg(kLeaker, name("used"), name("unused"));
    const auto peer = start(as_user(run({"--clean", "sh", "-c", script})));
    QCOMPARE(peer->line(), QString("ready"));
    {
        QFile file("/dev/shm/" + name("used"));
        QVERIFY(file.open(QIODevice::ReadOnly));
    }
    peer->say("end");
    const auto done = peer->wait();
    QVERIFY2(there(name("used")), qPrintable(done.err));
    if (report_of(done)["attribution"].toString() == "mappings")
        QVERIFY2(!there(name("unused")), qPrintable(done.err));
}

void Run::what_others_attached_meanwhile_stays() {
    const auto script = QString("'%1' sysv; read end").arg(kLeaker);
    const auto peer = start(run({"--clean", "sh", "-c", script}));
    const auto table = table_segment(peer->line());
    void* const data = ::shmat(last_table(), nullptr, 0);
    QVERIFY(data != reinterpret_cast<void*>(-1) && ::shmdt(data) == 0);
    peer->say("end");
    const auto done = peer->wait();
    struct shmid_ds state {};
    QVERIFY2(::shmctl(last_table(), IPC_STAT, &state) == 0, qPrintable(done.err));
    const auto report = report_of(done);
    if (report["attribution"].toString() == "looks") return;
    const auto reason = item_named(report, "left", table)["reason"].toString();
    QVERIFY2(reason.contains("does not belong to the command"), qPrintable(done.err));
}

void Run::what_a_living_process_of_the_command_may_open_stays() {
    const auto script =
        QString("'%1' map %2 sysv; setsid '%1' wait </dev/null >/dev/null 2>&1 & sleep 0.3")
            .arg(kLeaker, name("a"));
    const auto done = execute(run({"--clean", "sh", "-c", "{ " + script + "; }"}));
    const auto report = report_of(done);
    for (const auto& process : report["running"].toArray())
        end_later(process.toObject()["pid"].toInteger());
    const auto table = table_segment(done.out);
    QVERIFY2(there(name("a")), qPrintable(done.err));
    struct shmid_ds state {};
    QVERIFY2(::shmctl(last_table(), IPC_STAT, &state) == 0, qPrintable(done.err));
    if (report["attribution"].toString() == "looks") return;
    for (const auto& segment : {name("a"), table})
        QVERIFY2(item_named(report, "left", segment)["reason"].toString().contains("still running"),
                 qPrintable(done.err));
}

void Run::what_was_there_before_is_not_told() {
    QCOMPARE(execute({kLeaker, "map", name("a")}).status, 0);
    const auto report = report_of(execute(run({"--clean", kLeaker, "map", name("a")})));
    QVERIFY(!names_in(report, "left").contains(name("a")));
    QVERIFY(!names_in(report, "possible").contains(name("a")));
    QVERIFY(there(name("a")));
}

void Run::what_goes_with_its_users_is_not_left() {
    const auto done =
        execute(run({"--fail-on-leak", kLeaker, "sysv", "attach", "drop", "daemon", "wait"}));
    const auto segment = table_segment(done.out);
    const auto report = report_of(done);
    const auto daemon = report["running"].toArray().first().toObject();
    end_later(daemon["pid"].toInteger());
    QVERIFY2(done.status == 0, qPrintable(done.err));
    QVERIFY(report["left"].toArray().isEmpty());
    QCOMPARE(daemon["uses"].toArray().first().toString(), segment);
}

// Who made it is known: the number, of this test, is a coincidence.
void Run::a_strangers_number_in_a_name_keeps_nothing() {
    const auto numbered = name(QString::number(::getpid()));
    const auto done = execute(run({"--clean", kLeaker, "map", numbered}));
    const auto report = report_of(done);
    if (report["attribution"].toString() != "exact") QSKIP("the kernel does not tell who made it");
    QVERIFY2(item_named(report, "left", numbered)["removed"].toBool(), qPrintable(done.err));
    QVERIFY(!there(numbered));
}

void Run::a_segment_in_a_directory_is_told() {
    const auto shell =
        QString("mkdir /dev/shm/%1 && exec 3>/dev/shm/%1/b && echo x >&3").arg(name("d"));
    const auto report = report_of(execute(run({"sh", "-c", shell})));
    if (report["attribution"].toString() != "exact") QSKIP("who only opens is told to root alone");
    QCOMPARE(names_in(report, "left"), QStringList{name("d") + "/b"});
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
    end_later(pid);
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

void Run::without_records_what_lives_is_seen() {
    const auto words = QStringList{kLeaker, "refuse", "exec"} +
                       run({"--clean", kLeaker, "map", name("a"), "sysv", "daemon", "wait"});
    for (const bool root : {true, false}) {
        if (root && !is_root()) continue;
        const auto done = execute(root ? words : as_user(words));
        const auto report = report_of(done);
        QCOMPARE(report["attribution"].toString(), QString("looks"));
        const auto daemon = report["running"].toArray().first().toObject();
        end_later(daemon["pid"].toInteger());
        const auto table = table_segment(done.out);
        QVERIFY2(names_in(report, "left").contains(name("a")), qPrintable(done.err));
        QVERIFY(there(name("a")));
        // Its creator ended within a millisecond: it may have been seen or not.
        QVERIFY(names_in(report, "left").contains(table) ||
                names_in(report, "possible").contains(table));
        remove();
    }
}

QTEST_GUILESS_MAIN(Run)
#include "tst_run.moc"
