// SPDX-License-Identifier: MIT
// What goes wrong in a real service raises the right alert, once; people and programs hear of it.
#include <unistd.h>

#include <QDir>
#include <QJsonArray>
#include <QtTest>
#include <cstdio>
#include <thread>

#include "alert_fixture.h"
#include "client/manager_client.h"
#include "locker.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;

namespace {

constexpr auto kForever = "4294967295";

}  // namespace

class Alerts : public QObject, private test::AlertFixture {
    Q_OBJECT

  private Q_SLOTS:
    void init() { QVERIFY(begin()); }
    void cleanup() {
        lockers_.clear();
        end();
    }

    void a_healthy_service_raises_nothing();
    void a_stuck_lock_is_told_once_across_kills_and_resolved_when_it_is_given_back();
    void a_killed_holder_and_its_orphan_are_told_and_over_when_cleaned();
    void a_deadlock_is_told();
    void a_leaking_program_is_told();
    void a_full_file_system_is_told();
    void a_database_that_cannot_be_written_is_told_and_its_mending_too();

  private:
    Peer& locker() {
        lockers_.push_back(
            std::make_unique<Peer>(QCoreApplication::applicationFilePath(), QStringList{"locker"},
                                   service_->host().environment(service_->instance())));
        if (lockers_.back()->line() != "ready") qWarning("the locker is not ready");
        return *lockers_.back();
    }
    std::unique_ptr<Peer> holder(const QString& role) const {
        return std::make_unique<Peer>(QCoreApplication::applicationFilePath(), QStringList{role},
                                      service_->host().environment(service_->instance()));
    }

    std::vector<std::unique_ptr<Peer>> lockers_;
};

void Alerts::a_healthy_service_raises_nothing() {
    const auto id = allocate();
    QCOMPARE(service_->cli({"write", id}).status, 0);
    // The rules with durations have had time to find something.
    QTest::qWait(8000);
    QCOMPARE(service_->cli_json({"alerts"})[u"alerts"].toArray().size(), 0);
    QCOMPARE(service_->cli_json({"alerts", "--history"})[u"alerts"].toArray().size(), 0);
    QCOMPARE(service_->cli({"alerts"}).out, QString("no alerts\n"));
    QVERIFY(service_->cli({"alerts", "rules"}).out.contains("stuck-lock"));
    const auto state = service_->cli_json({"status"})[u"alerts"].toObject();
    QVERIFY(state[u"enabled"].toBool());
    QCOMPARE(state[u"firing"].toInt(), 0);
    QCOMPARE(state[u"problem"].toString(), QString());
}

void Alerts::a_stuck_lock_is_told_once_across_kills_and_resolved_when_it_is_given_back() {
    QVERIFY(change_rule(
        "stuck-lock", {{"threshold", 0.5}, {"resolve_threshold", 0.1}, {"resolve_for_ms", 3000}}));
    const auto id = allocate();
    auto& one = locker();
    auto& two = locker();
    const auto held = one.ask("lock " + id + " w 0");
    QVERIFY(held.startsWith("granted"));
    two.say("lock " + id + " w " + kForever);
    QVERIFY(fires("stuck-lock"));
    const auto first = alerts_of("stuck-lock", "firing").front();
    QCOMPARE(first[u"subject"].toString(), id);
    QCOMPARE(told("stuck-lock firing"), 1);
    QCOMPARE(command_told("stuck-lock", "firing"), 1);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(fires("stuck-lock"));
    QCOMPARE(alerts_of("stuck-lock", "firing").front()[u"id"], first[u"id"]);
    QCOMPARE(one.ask("unlock " + id + " " + held.section(' ', 1, 1)), "ok");
    QVERIFY(two.line().startsWith("granted"));
    QVERIFY(is_resolved("stuck-lock"));
    QCOMPARE(told("stuck-lock resolved"), 1);
    QCOMPARE(told("stuck-lock firing"), 1);
    QCOMPARE(command_told("stuck-lock", "resolved"), 1);
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(alerts_of("stuck-lock", "resolved", {"--history"}).front()[u"id"], first[u"id"]);
    QCOMPARE(events("alert_fired"), 1);
    QCOMPARE(events("alert_resolved"), 1);
    QCOMPARE(command_told("stuck-lock", "firing"), 1);
}

void Alerts::a_killed_holder_and_its_orphan_are_told_and_over_when_cleaned() {
    QVERIFY(change_rule("orphans", {{"for_ms", 0}}));
    QVERIFY(change_rule("holder-died", {{"window_ms", 3000}}));
    auto peer = holder("orphan-maker"), another = holder("orphan-maker");
    QVERIFY(peer->line().startsWith("ready") && another->line().startsWith("ready"));
    peer->end(SIGKILL);
    another->end(SIGKILL);
    QVERIFY(fires("orphans"));
    QCOMPARE(told("holder-died firing"), 1);
    QCOMPARE(told("orphans firing"), 1);
    QCOMPARE(service_->cli({"cleanup", "--orphans", "--no-quarantine"}).status, 0);
    QVERIFY(is_resolved("orphans"));
    QVERIFY(is_resolved("holder-died"));
    QCOMPARE(told("orphans resolved"), 1);
    QCOMPARE(told("holder-died resolved"), 1);
    QCOMPARE(receiver_->got().size(), 4);
}

void Alerts::a_deadlock_is_told() {
    QVERIFY(change_rule("deadlock", {{"window_ms", 4000}}));
    const auto a = allocate();
    const auto b = allocate();
    auto& one = locker();
    auto& two = locker();
    QVERIFY(one.ask("lock " + a + " w 0").startsWith("granted"));
    QVERIFY(two.ask("lock " + b + " w 0").startsWith("granted"));
    one.say("lock " + b + " w " + kForever);
    QVERIFY(QTest::qWaitFor(
        [&] {
            return !service_->cli_json({"locks", b})[u"locks"][0][u"waiters"].toArray().isEmpty();
        },
        kPatienceMs));
    QVERIFY(two.ask("lock " + a + " w " + kForever).startsWith("deadlock"));
    QVERIFY(fires("deadlock"));
    QCOMPARE(told("deadlock firing"), 1);
    QVERIFY(is_resolved("deadlock"));
    QCOMPARE(told("deadlock resolved"), 1);
    QCOMPARE(told("deadlock firing"), 1);
}

void Alerts::a_leaking_program_is_told() {
    QVERIFY(change_rule("reference-leak", {{"for_ms", 1000}}));
    auto peer = holder("leaker");
    QVERIFY(peer->line().startsWith("ready"));
    // A program is suspect when it has only taken for a whole minute.
    QVERIFY(fires("reference-leak") || fires("reference-leak"));
    QVERIFY(alerts_of("reference-leak", "firing")
                .front()[u"subject"]
                .toString()
                .contains(QString::number(peer->pid())));
    QCOMPARE(told("reference-leak firing"), 1);
    peer->end(SIGKILL);
    QVERIFY(is_resolved("reference-leak"));
    QCOMPARE(told("reference-leak firing"), 1);
}

void Alerts::a_full_file_system_is_told() {
    QCOMPARE(service_->stop(), 0);
    configure("health_check_interval = \"1s\"");
    const QStringList spaces = ::geteuid() == 0 ? QStringList{"-m"} : QStringList{"-U", "-r", "-m"};
    const auto environment = service_->host().environment(service_->instance());
    if (Peer("unshare", spaces + QStringList{"true"}, environment).wait().status != 0)
        QSKIP("mounts in a namespace are not permitted here: no small file system to fill");
    const auto script =
        QString("mount -t tmpfs -o size=4m none %1 && exec %2/snakepit-shm serve")
            .arg(service_->host().path("segments"), QCoreApplication::applicationDirPath());
    Peer serve("unshare", spaces + QStringList{"sh", "-c", script}, environment);
    QVERIFY(serve.line().contains("serving instance"));
    QVERIFY(change_rule("host-shm-high", {{"for_ms", 0}}));  // it would fire at once
    const auto full = service_->cli_json({"allocate", "4128768", "--placement", "dedicated"});
    QVERIFY(full.contains("id"));
    QVERIFY(fires("host-shm-full"));
    QCOMPARE(told("host-shm-full firing"), 1);
    QTRY_COMPARE_WITH_TIMEOUT(events("health_problem"), 1, kPatienceMs);
    QCOMPARE(service_->cli({"deallocate", full[u"id"].toString(), "--force"}).status, 0);
    QCOMPARE(service_->cli({"cleanup", "--all-eligible", "--no-quarantine"}).status, 0);
    QVERIFY(is_resolved("host-shm-full"));
    QCOMPARE(told("host-shm-full resolved"), 1);
    QCOMPARE(told("host-shm-full firing"), 1);
    // Neither the nearly full file system nor the health check was an alert of its own.
    QCOMPARE(events("alert_fired"), 1);
    serve.end(SIGTERM);
}

void Alerts::a_database_that_cannot_be_written_is_told_and_its_mending_too() {
    QVERIFY(change_rule("recorder-down", {{"for_ms", 0}}));
    const auto state = service_->host().state_dir("test");
    QVERIFY(QFile::rename(state + "/events.db", state + "/aside.db"));
    for (const auto* rest : {"-wal", "-shm"}) QFile::remove(state + "/events.db" + rest);
    QVERIFY(QDir(state).mkdir("events.db"));
    (void)allocate();
    QVERIFY(fires("recorder-down"));
    QCOMPARE(told("recorder-down firing"), 1);
    QVERIFY(QDir(state).rmdir("events.db"));
    QVERIFY(is_resolved("recorder-down"));
    QCOMPARE(told("recorder-down resolved"), 1);
    QCOMPARE(told("recorder-down firing"), 1);
}

namespace {

// Owns a region that nobody else has, holds it, and waits for its end.
int make_orphan() {
    auto client = ManagerClient::connect();
    RegionOptions options;
    options.cleanup_policy = CleanupPolicy::manual;
    if (!client || !(*client)->allocate(4096, options)) return 1;
    std::puts("ready");
    std::fflush(stdout);
    (void)std::getchar();
    return 0;
}

// Takes a reference every tenth of a second and gives none back.
int leak() {
    auto client = ManagerClient::connect();
    if (!client) return 1;
    const auto id = (*client)->allocate(4096);
    if (!id) return 1;
    std::puts("ready");
    std::fflush(stdout);
    for (;;) {
        if (!(*client)->map(*id, AccessMode::read_only)) return 1;
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

}  // namespace

int main(int argc, char** argv) {
    const QCoreApplication app(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    if (!words.isEmpty() && words.first() == "locker") return run_locker(words);
    if (!words.isEmpty() && words.first() == "orphan-maker") return make_orphan();
    if (!words.isEmpty() && words.first() == "leaker") return leak();
    Alerts test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_alerts.moc"
