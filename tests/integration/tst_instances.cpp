// SPDX-License-Identifier: MIT
#include <QDir>
#include <QDirIterator>
#include <QFileInfo>
#include <QJsonArray>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

class Instances : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_second_manager_of_an_instance_names_the_first();
    void a_killed_manager_does_not_keep_the_next_from_starting();
    void two_instances_side_by_side_do_not_see_each_other();
    void directories_have_their_mode_whatever_the_umask();
    void a_manager_that_a_client_started_keeps_no_directory_busy();
    void a_directory_answers_for_its_own_instance_only_data();
    void a_directory_answers_for_its_own_instance_only();
    void a_client_is_told_which_instance_is_there_data();
    void a_client_is_told_which_instance_is_there();
    void a_directory_of_another_instance_is_not_taken_over();
    void the_files_of_another_instance_are_not_read_data();
    void the_files_of_another_instance_are_not_read();
    void without_a_name_the_directory_says_it();
};

namespace {

// Directories of the instance "here"; `named`: SNAKEPIT_SHM_INSTANCE, nothing if empty.
QProcessEnvironment with_directories(const TestHost& host, const QString& named) {
    auto out = host.environment(named);
    if (named.isEmpty()) out.remove("SNAKEPIT_SHM_INSTANCE");
    out.insert("SNAKEPIT_SHM_RUNTIME_DIR", host.path("run"));
    out.insert("SNAKEPIT_SHM_STATE_DIR", host.path("kept"));
    return out;
}

Finished run(const QProcessEnvironment& environment, const QStringList& words) {
    return Peer(QCoreApplication::applicationDirPath() + "/snakepit-shm", words, environment)
        .wait();
}

}  // namespace

void Instances::a_second_manager_of_an_instance_names_the_first() {
    Service service;
    QVERIFY(service.start());
    const auto second = service.cli({"serve", "--json"});
    QCOMPARE(second.status, 1);
    QCOMPARE(second.error().value("code").toString(), "instance_in_use");
    QVERIFY2(second.err.contains(QString::number(service.pid())), qPrintable(second.err));
    QCOMPARE(service.cli({"status"}).status, 0);  // the first serves on
}

void Instances::a_killed_manager_does_not_keep_the_next_from_starting() {
    Service service;
    for (int i = 0; i < 5; ++i) {
        QVERIFY(service.start());
        service.kill();
    }
    QVERIFY(service.start());
}

void Instances::two_instances_side_by_side_do_not_see_each_other() {
    const auto host = std::make_shared<TestHost>();
    Service red(host, "red");
    Service blue(host, "blue");
    QVERIFY(red.start());
    QVERIFY(blue.start());
    const auto id = red.cli_json({"allocate", "4096"}).value("id").toString();
    QVERIFY(!id.isEmpty());
    QCOMPARE(blue.cli_json({"list"}).value("regions").toArray().size(), 0);
    QCOMPARE(blue.cli({"info", id}).status, 1);
    QCOMPARE(blue.cli({"deallocate", id}).status, 1);
    QCOMPARE(blue.cli_json({"cleanup", "--all-eligible"}).value("removed").toInteger(), 0);
    QVERIFY(!blue.cli({"events"}).out.contains(id));

    // The option chooses, whatever the environment says.
    QCOMPARE(blue.cli({"info", id, "--instance", "red"}).status, 0);

    // One that starts anew leaves the other's segments alone.
    QVERIFY(blue.restart_after_kill());
    QCOMPARE(red.cli({"info", id}).status, 0);
    QCOMPARE(host->segments().size(), 1);
    QCOMPARE(red.cli({"deallocate", id}).status, 0);
}

void Instances::directories_have_their_mode_whatever_the_umask() {
    const auto host = std::make_shared<TestHost>();
    const auto program = QCoreApplication::applicationDirPath() + "/snakepit-shm";
    auto environment = host->environment("test");
    environment.insert("XDG_CONFIG_HOME", host->path("new/config"));
    environment.insert("SNAKEPIT_PROGRAM", program);
    const auto run = [&](const QString& words) {
        return std::make_unique<Peer>(
            "sh", QStringList{"-c", "umask 0177; exec \"$SNAKEPIT_PROGRAM\" " + words},
            environment);
    };
    // One that is made by hand comes first: it makes directories for the file.
    QCOMPARE(run("config set max_regions 30")->wait().status, 0);
    auto service = run("serve");
    QVERIFY(service->line().contains("serving instance"));
    const auto id = run("allocate 4096 --durable --json")->wait().json().value("id").toString();
    QVERIFY(!id.isEmpty());
    QStringList seen;
    for (const auto* place : {"runtime", "state", "new"})
        for (QDirIterator entry(host->path(place), QDir::Dirs | QDir::NoDotAndDotDot,
                                QDirIterator::Subdirectories);
             entry.hasNext();) {
            const auto path = entry.next();
            seen << path.section('/', -1);
            const auto owner = QFile::ReadOwner | QFile::WriteOwner | QFile::ExeOwner;
            QVERIFY2((QFile::permissions(path) & owner) == owner, qPrintable(path));
        }
    for (const auto* name : {"test", "leases", "durable", "snakepit-shm"})
        QVERIFY2(seen.contains(name), qPrintable(seen.join(' ')));
    service->end(SIGTERM);
}

// Relative paths in its environment stay what they were where the client works.
void Instances::a_manager_that_a_client_started_keeps_no_directory_busy() {
    const auto host = std::make_shared<TestHost>();
    QVERIFY(QDir(host->path("")).mkpath("work"));
    auto environment = host->environment("test");
    environment.insert("SNAKEPIT_SHM_AUTOSTART", "1");
    environment.insert("SNAKEPIT_SHM_RUNTIME_DIR", "run");
    environment.insert("SNAKEPIT_SHM_STATE_DIR", "state");
    environment.insert("SNAKEPIT_WORK", host->path("work"));
    environment.insert("SNAKEPIT_PROGRAM",
                       QCoreApplication::applicationDirPath() + "/snakepit-shm");
    const auto in_work = [&](const QString& words) {
        return Peer("sh", {"-c", "cd \"$SNAKEPIT_WORK\" && exec \"$SNAKEPIT_PROGRAM\" " + words},
                    environment)
            .wait();
    };
    const auto made = in_work("allocate 4096 --json");
    QVERIFY2(!made.json().value("id").toString().isEmpty(), qPrintable(made.err));
    const auto pid = in_work("status --json").json().value("pid").toInteger();
    QVERIFY(pid > 0);
    QCOMPARE(QFileInfo(QString("/proc/%1/cwd").arg(pid)).symLinkTarget(), "/");
    QVERIFY(QFile::exists(host->path("work/run/control.sock")));
    QCOMPARE(::kill(static_cast<pid_t>(pid), SIGTERM), 0);
    QTRY_VERIFY_WITH_TIMEOUT(!QFile::exists(QString("/proc/%1/exe").arg(pid)), kPatienceMs);
}

void Instances::a_directory_answers_for_its_own_instance_only_data() {
    QTest::addColumn<QString>("environment");
    QTest::addColumn<QStringList>("option");
    QTest::addColumn<int>("status");
    const QStringList none, other{"--instance", "nosuch"}, same{"--instance", "here"};
    QTest::newRow("the same") << "here" << none << 0;
    QTest::newRow("the same, by option too") << "here" << same << 0;
    QTest::newRow("no name") << "" << none << 0;
    QTest::newRow("by option alone") << "" << same << 0;
    QTest::newRow("another by option") << "here" << other << 3;
    QTest::newRow("another by option, none in the environment") << "" << other << 3;
    QTest::newRow("another in the environment") << "nosuch" << none << 3;
}

void Instances::a_directory_answers_for_its_own_instance_only() {
    QFETCH(QString, environment);
    QFETCH(QStringList, option);
    QFETCH(int, status);
    const TestHost host;
    Peer service(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
                 with_directories(host, "here"));
    QVERIFY(service.line().contains("serving instance 'here'"));
    const auto asked = run(with_directories(host, environment), QStringList{"list"} + option);
    QVERIFY2(asked.status == status, qPrintable(asked.out + asked.err));
    if (status != 0) QVERIFY2(asked.err.contains("'here'"), qPrintable(asked.err));
    if (status != 0) QVERIFY2(asked.err.contains("'nosuch'"), qPrintable(asked.err));
    QCOMPARE(service.end(SIGTERM).status, 0);
}

void Instances::a_client_is_told_which_instance_is_there_data() {
    QTest::addColumn<QString>("environment");
    QTest::newRow("named") << "here";
    QTest::newRow("not named") << "";
}

// The C interface and the Python module that stands on it.
void Instances::a_client_is_told_which_instance_is_there() {
    QFETCH(QString, environment);
    const TestHost host;
    Peer service(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
                 with_directories(host, "here"));
    QVERIFY(service.line().contains("serving instance 'here'"));
    auto variables = with_directories(host, environment);
    variables.insert("PYTHONPATH", QStringLiteral(SNAKEPIT_BIN_DIR) + "/../python");
    variables.insert("PYTHONDONTWRITEBYTECODE", "1");
    const auto asked = Peer("/usr/bin/python3",
                            {"-c",
                             "import snakepit_shm\n"
                             "print(len(snakepit_shm.Client('here').list()))\n"
                             "try:\n"
                             "    snakepit_shm.Client('nosuch')\n"
                             "except snakepit_shm.Error as error:\n"
                             "    print(error.code, error)\n"},
                            variables)
                           .wait();
    QVERIFY2(asked.out.startsWith("0\nno_manager "), qPrintable(asked.out + asked.err));
    QVERIFY2(asked.out.contains("'here'"), qPrintable(asked.out));
    QCOMPARE(service.end(SIGTERM).status, 0);
}

void Instances::a_directory_of_another_instance_is_not_taken_over() {
    const TestHost host;
    Peer first(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
               with_directories(host, "here"));
    QVERIFY(first.line().contains("serving instance 'here'"));
    const auto id =
        run(with_directories(host, "here"), {"allocate", "1", "--json"}).json()["id"].toString();
    QCOMPARE(first.end(SIGKILL).status, -SIGKILL);
    const auto refused = run(with_directories(host, "nosuch"), {"serve"});
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.err.contains("'here'"), qPrintable(refused.err));
    Peer again(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
               with_directories(host, "here"));
    QVERIFY(again.line().contains("serving instance 'here'"));
    QCOMPARE(run(with_directories(host, "here"), {"info", id}).status, 0);
    QCOMPARE(again.end(SIGTERM).status, 0);
}

void Instances::the_files_of_another_instance_are_not_read_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<bool>("after_reboot");
    for (const bool after : {false, true})
        for (const auto& words : QList<QStringList>{
                 {"events"}, {"audit", "verify"}, {"health"}, {"diagnose", "-o", "-"}})
            QTest::newRow(qPrintable(words.join(' ') + (after ? ", state only" : "")))
                << words << after;
}

void Instances::the_files_of_another_instance_are_not_read() {
    QFETCH(QStringList, words);
    QFETCH(bool, after_reboot);
    const TestHost host;
    Peer service(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
                 with_directories(host, "here"));
    QVERIFY(service.line().contains("serving instance 'here'"));
    QCOMPARE(service.end(SIGTERM).status, 0);
    if (after_reboot) QVERIFY(QDir(host.path("run")).removeRecursively());
    QVERIFY(run(with_directories(host, "here"), words).status != 3);
    const auto refused =
        run(with_directories(host, ""), words + QStringList{"--instance", "nosuch"});
    QVERIFY2(refused.status == 3, qPrintable(refused.out.left(100) + refused.err));
    QVERIFY2(refused.err.contains("'here'"), qPrintable(refused.err));
}

void Instances::without_a_name_the_directory_says_it() {
    const TestHost host;
    Peer service(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
                 with_directories(host, "here"));
    QVERIFY(service.line().contains("serving instance 'here'"));
    QCOMPARE(service.end(SIGTERM).status, 0);
    Peer again(QCoreApplication::applicationDirPath() + "/snakepit-shm", {"serve"},
               with_directories(host, ""));
    QVERIFY(again.line().contains("serving instance 'here'"));
    QCOMPARE(again.end(SIGTERM).status, 0);
}

QTEST_GUILESS_MAIN(Instances)
#include "tst_instances.moc"
