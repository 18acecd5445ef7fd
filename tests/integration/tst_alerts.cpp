// SPDX-License-Identifier: MIT
// What goes wrong in a real service raises the right alert, once; people and programs hear of it.
#include <httplib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QStandardPaths>
#include <QtTest>
#include <cstdio>
#include <mutex>
#include <thread>

#include "client/manager_client.h"
#include "locker.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::kPatienceMs;
using test::Peer;

namespace {

constexpr auto kForever = "4294967295";
constexpr auto kStranger = 65'534;  // a user who is nobody in particular

// What a webhook got, rule and status of each message.
class Receiver {
  public:
    explicit Receiver(int port = 0) {
        server_.Post("/hook", [this](const httplib::Request& request, httplib::Response&) {
            const auto body =
                QJsonDocument::fromJson(QByteArray::fromStdString(request.body)).object();
            const std::lock_guard lock(mutex_);
            for (const auto& alert : body[u"alerts"].toArray())
                got_ +=
                    alert[u"labels"][u"alertname"].toString() + " " + alert[u"status"].toString();
        });
        if (port == 0)
            port_ = server_.bind_to_any_port("127.0.0.1");
        else if (server_.bind_to_port("127.0.0.1", port))
            port_ = port;
        thread_ = std::thread([this] { server_.listen_after_bind(); });
        while (!server_.is_running()) std::this_thread::yield();
    }
    ~Receiver() {
        server_.stop();
        thread_.join();
    }
    int port() const { return port_; }
    QStringList got() const {
        const std::lock_guard lock(mutex_);
        return got_;
    }

  private:
    httplib::Server server_;
    int port_ = 0;
    mutable std::mutex mutex_;
    QStringList got_;
    std::thread thread_;
};

}  // namespace

class Alerts : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        receiver_ = std::make_unique<Receiver>();
        service_ = std::make_unique<test::Service>();
        configure();
        QVERIFY(service_->start());
    }
    void cleanup() {
        lockers_.clear();
        service_.reset();
        receiver_.reset();
    }

    void a_healthy_service_raises_nothing();
    void a_stuck_lock_is_told_once_across_kills_and_resolved_when_it_is_given_back();
    void a_killed_holder_and_its_orphan_are_told_and_over_when_cleaned();
    void a_deadlock_is_told();
    void a_leaking_program_is_told();
    void a_full_file_system_is_told();
    void a_database_that_cannot_be_written_is_told_and_its_mending_too();
    void what_was_mended_while_no_manager_ran_is_resolved_by_the_next();
    void what_happened_while_no_manager_looked_is_not_missed();
    void who_has_seen_it_and_who_wants_silence_is_kept_across_a_kill();
    void operators_answer_and_administrators_set_rules();
    void a_webhook_that_is_not_there_is_said_once_and_told_when_it_comes();
    void commands_that_fail_or_are_not_there_stop_nothing();
    void wrong_rules_and_words_are_refused();
    void a_backtest_finds_what_was_recorded();

  private:
    void configure(const QString& more = {}, const QString& command = {}) const {
        const auto tell = command.isEmpty()
                              ? QString("\"/bin/sh\", \"-c\", \"cat >> %1; echo >> %1\"")
                                    .arg(service_->host().path("told"))
                              : command;
        service_->host().configure(
            QString("%1\n[shared_memory.alerts]\njournal = false\ncommand = [ %2 ]\n"
                    "webhook = \"http://127.0.0.1:%3/hook\"\n")
                .arg(more, tell)
                .arg(receiver_->port()));
    }
    // Sets a rule from its fields; the file as the command line wants one.
    bool set_rule(const QJsonObject& rule) const {
        QFile file(service_->host().path("rule.json"));
        if (!file.open(QIODevice::WriteOnly)) return false;
        file.write(QJsonDocument(rule).toJson());
        file.close();
        const auto done = service_->cli({"alerts", "rules", "set", file.fileName()});
        if (done.status != 0) qWarning("%s", qPrintable(done.err));
        return done.status == 0;
    }
    // One of the default set, with other durations or thresholds.
    bool change_rule(const QString& name, const QJsonObject& changes) const {
        const auto all = service_->cli_json({"alerts", "rules"})[u"rules"].toArray();
        for (const auto& one : all) {
            auto rule = one.toObject();
            if (rule[u"name"] != name) continue;
            for (const auto& key : changes.keys()) rule[key] = changes[key];
            return set_rule(rule);
        }
        return false;
    }
    QList<QJsonObject> alerts_of(const QString& rule, const QString& state,
                                 const QStringList& words = {}) const {
        QList<QJsonObject> out;
        const auto all = service_->cli_json(QStringList{"alerts"} + words)[u"alerts"].toArray();
        for (const auto& alert : all)
            if (alert[u"rule"] == rule && alert[u"state"] == state) out += alert.toObject();
        return out;
    }
    bool fires(const QString& rule) const {
        return QTest::qWaitFor([&] { return alerts_of(rule, "firing").size() == 1; }, kPatienceMs);
    }
    bool is_resolved(const QString& rule) const {
        return QTest::qWaitFor(
            [&] { return alerts_of(rule, "resolved", {"--history"}).size() == 1; }, kPatienceMs);
    }
    // How often the webhook was told so; waits until it was at all.
    int told(const QString& what) const {
        (void)QTest::qWaitFor([&] { return receiver_->got().contains(what); }, kPatienceMs);
        return static_cast<int>(receiver_->got().count(what));
    }
    int command_told(const QString& rule, const QString& status) const {
        const auto count = [&] {
            QFile file(service_->host().path("told"));
            if (!file.open(QIODevice::ReadOnly)) return 0;
            int out = 0;
            for (const auto& line : file.readAll().split('\n')) {
                const auto message = QJsonDocument::fromJson(line).object();
                out += message[u"rule"] == rule && message[u"status"] == status ? 1 : 0;
            }
            return out;
        };
        (void)QTest::qWaitFor([&] { return count() > 0; }, kPatienceMs);
        return count();
    }
    int events(const QString& kind) const {
        return static_cast<int>(
            service_->cli_json({"events", "--kind", kind})[u"events"].toArray().size());
    }
    QString allocate() const {
        return service_->cli_json({"allocate", "4096"}).value("id").toString();
    }
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
    test::Finished as_stranger(const QStringList& words) const;

    QTemporaryDir bin_;
    std::unique_ptr<Receiver> receiver_;
    std::unique_ptr<test::Service> service_;
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
    auto peer = holder("orphan-maker");
    QVERIFY(peer->line().startsWith("ready"));
    peer->end(SIGKILL);
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
    const QStringList spaces = ::geteuid() == 0 ? QStringList{"-m"} : QStringList{"-U", "-r", "-m"};
    const auto environment = service_->host().environment(service_->instance());
    if (Peer("unshare", spaces + QStringList{"true"}, environment).wait().status != 0)
        QSKIP("this machine lets nobody have mounts of their own: no small file system to try");
    const auto script =
        QString("mount -t tmpfs -o size=4m none %1 && exec %2/snakepit-shm serve")
            .arg(service_->host().path("segments"), QCoreApplication::applicationDirPath());
    Peer serve("unshare", spaces + QStringList{"sh", "-c", script}, environment);
    QVERIFY(serve.line().contains("serving instance"));
    const auto full = service_->cli_json({"allocate", "4128768", "--placement", "dedicated"});
    QVERIFY(full.contains("id"));
    QVERIFY(fires("host-shm-full"));
    QCOMPARE(told("host-shm-full firing"), 1);
    QCOMPARE(service_->cli({"deallocate", full[u"id"].toString(), "--force"}).status, 0);
    QCOMPARE(service_->cli({"cleanup", "--all-eligible", "--no-quarantine"}).status, 0);
    QVERIFY(is_resolved("host-shm-full"));
    QCOMPARE(told("host-shm-full resolved"), 1);
    QCOMPARE(told("host-shm-full firing"), 1);
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

void Alerts::what_was_mended_while_no_manager_ran_is_resolved_by_the_next() {
    QVERIFY(set_rule(
        {{"name", "any"}, {"metric", "regions_limit"}, {"comparison", "<="}, {"threshold", 5}}));
    configure("max_regions = 5\nmax_regions_per_process = 5");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QVERIFY(fires("any"));
    QCOMPARE(told("any firing"), 1);
    service_->kill();
    configure();
    QVERIFY(service_->start());
    QVERIFY(is_resolved("any"));
    QCOMPARE(told("any resolved"), 1);
    QCOMPARE(told("any firing"), 1);
}

void Alerts::what_happened_while_no_manager_looked_is_not_missed() {
    QVERIFY(set_rule({{"name", "made"},
                      {"event", "allocated"},
                      {"comparison", ">="},
                      {"threshold", 1},
                      {"window_ms", 1000}}));
    // At most a moment after it was allocated: often before the rules are looked at.
    const auto id = allocate();
    service_->kill();
    QVERIFY(!id.isEmpty());
    QTest::qWait(2500);  // longer than the window
    QVERIFY(service_->start());
    QVERIFY(is_resolved("made"));
    QCOMPARE(told("made resolved"), 1);
    QCOMPARE(told("made firing"), 1);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(is_resolved("made"));
    QCOMPARE(events("alert_fired"), 1);
}

void Alerts::who_has_seen_it_and_who_wants_silence_is_kept_across_a_kill() {
    const QJsonObject rule{
        {"name", "any"}, {"metric", "regions_limit"}, {"comparison", ">"}, {"threshold", 0}};
    const auto made = service_->cli_json(
        {"alerts", "silence", "--for", "1h", "--subject", "nobody", "--comment", "quiet"});
    QVERIFY(made[u"id"].toInt() > 0);
    QVERIFY(set_rule(rule));
    QVERIFY(fires("any"));
    QCOMPARE(told("any firing"), 1);
    const auto id = alerts_of("any", "firing").front()[u"id"].toInt();
    QCOMPARE(service_->cli({"alerts", "ack", QString::number(id), "--comment", "known"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "any", "--until-resolved"}).status, 0);
    QVERIFY(service_->restart_after_kill());
    QVERIFY(fires("any"));
    const auto alert = alerts_of("any", "firing").front();
    QCOMPARE(alert[u"id"].toInt(), id);
    QCOMPARE(alert[u"acknowledgement"].toString(), QString("known"));
    QVERIFY(!alert[u"acknowledged_by"].toString().isEmpty());
    QVERIFY(alert[u"silenced"].toBool());
    QCOMPARE(service_->cli_json({"alerts", "silences"})[u"silences"].toArray().size(), 2);
    // Switched off it is over, and with it the silence that waits for that.
    QCOMPARE(service_->cli({"alerts", "rules", "disable", "any"}).status, 0);
    QVERIFY(is_resolved("any"));
    QTRY_COMPARE_WITH_TIMEOUT(
        service_->cli_json({"alerts", "silences"})[u"silences"].toArray().size(), 1, kPatienceMs);
    QCOMPARE(service_->cli({"alerts", "unsilence", QString::number(made[u"id"].toInt())}).status,
             0);
    QCOMPARE(events("alert_acknowledged"), 1);
    QCOMPARE(events("alert_silenced"), 2);
    QCOMPARE(events("alert_unsilenced"), 2);
    QCOMPARE(service_->cli({"alerts", "ack", "99999"}).status, 2);
    // Nobody is told of what is silenced from the beginning.
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "any", "--for", "1h"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "rules", "enable", "any"}).status, 0);
    QVERIFY(fires("any"));
    QCOMPARE(service_->cli({"alerts", "rules", "remove", "any"}).status, 0);
    QTRY_COMPARE_WITH_TIMEOUT(alerts_of("any", "resolved", {"--history"}).size(), 2, kPatienceMs);
    QCOMPARE(told("any firing"), 1);
    QCOMPARE(told("any resolved"), 1);
}

test::Finished Alerts::as_stranger(const QStringList& words) const {
    const auto& host = service_->host();
    // Where others may run it from; the build directory need not be open to anybody.
    const auto program = bin_.filePath("snakepit-shm");
    if (!QFile::exists(program))
        QFile::copy(QCoreApplication::applicationDirPath() + "/snakepit-shm", program);
    ::chmod(qPrintable(bin_.path()), 0755);
    ::chmod(qPrintable(program), 0755);
    const auto runtime = host.runtime_dir("test");
    for (auto directory = runtime; directory.size() >= host.path("").size() - 1;
         directory.truncate(directory.lastIndexOf('/')))
        ::chmod(qPrintable(directory), 0711);
    const auto id = QString::number(kStranger);
    return Peer("setpriv",
                QStringList{"--reuid", id, "--regid", id, "--clear-groups", program} + words,
                host.environment("test"))
        .wait();
}

void Alerts::operators_answer_and_administrators_set_rules() {
    if (::geteuid() != 0 || QStandardPaths::findExecutable("setpriv").isEmpty())
        QSKIP("only root can be somebody else");
    QCOMPARE(service_->stop(), 0);
    configure("socket_mode = \"0666\"");
    QVERIFY(service_->start());
    QCOMPARE(as_stranger({"alerts"}).status, 4);
    QVERIFY(fires("refused"));
    QCOMPARE(told("refused firing"), 1);
    const auto id = alerts_of("refused", "firing").front()[u"id"].toInt();
    QCOMPARE(as_stranger({"alerts", "ack", QString::number(id)}).status, 4);

    configure(QString("socket_mode = \"0666\"\n[shared_memory.roles]\noperators = [ \"%1\" ]")
                  .arg(kStranger));
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    const auto seen = as_stranger({"alerts", "ack", QString::number(id)});
    QVERIFY2(seen.status == 0, qPrintable(seen.err));
    QCOMPARE(as_stranger({"alerts", "silence", "--rule", "refused", "--until-resolved"}).status, 0);
    QCOMPARE(as_stranger({"alerts", "rules"}).status, 0);
    QCOMPARE(as_stranger({"alerts", "rules", "disable", "refused"}).status, 4);
    QVERIFY(!alerts_of("refused", "firing").front()[u"acknowledged_by"].toString().isEmpty());
    QCOMPARE(told("refused firing"), 1);
}

void Alerts::a_webhook_that_is_not_there_is_said_once_and_told_when_it_comes() {
    const auto port = receiver_->port();
    receiver_.reset();
    QVERIFY(set_rule(
        {{"name", "any"}, {"metric", "regions_limit"}, {"comparison", ">"}, {"threshold", 0}}));
    QVERIFY(fires("any"));
    QTRY_COMPARE_WITH_TIMEOUT(events("alert_hook_failed"), 1, kPatienceMs);
    const auto hooks = service_->cli_json({"status"})[u"alerts"][u"hooks"].toArray();
    QVERIFY(hooks[1][u"problem"].toString().contains("does not answer"));
    QVERIFY(!allocate().isEmpty());  // the service goes on
    receiver_ = std::make_unique<Receiver>(port);
    QCOMPARE(told("any firing"), 1);
    QTRY_COMPARE_WITH_TIMEOUT(events("alert_hook_mended"), 1, kPatienceMs);
    QCOMPARE(events("alert_hook_failed"), 1);
}

void Alerts::commands_that_fail_or_are_not_there_stop_nothing() {
    configure({}, "\"/no/such/program\"");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QVERIFY(set_rule(
        {{"name", "any"}, {"metric", "regions_limit"}, {"comparison", ">"}, {"threshold", 0}}));
    QCOMPARE(told("any firing"), 1);
    QTRY_COMPARE_WITH_TIMEOUT(events("alert_hook_failed"), 1, kPatienceMs);
    configure({}, "\"/bin/sleep\", \"1000\"");
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "rules", "disable", "any"}).status, 0);
    QCOMPARE(told("any resolved"), 1);  // the others do not wait for it
    QVERIFY(!allocate().isEmpty());
    QCOMPARE(service_->stop(), 0);  // nor does the end
    configure({}, "\"sleep\"");
    const auto wrong = service_->cli({"config", "check"});
    QVERIFY(wrong.status != 0 && wrong.err.contains("no full path"));
    QVERIFY(wrong.err.contains("config.toml:5:"));
}

void Alerts::wrong_rules_and_words_are_refused() {
    const auto file = service_->host().path("bad.json");
    const auto write = [&](const QByteArray& text) {
        QFile out(file);
        return out.open(QIODevice::WriteOnly) && out.write(text) == text.size();
    };
    QVERIFY(write(R"({"name":"x","metric":"memory_ratio","comparison":">","threshold":90})"));
    for (const auto* word : {"check", "set"}) {
        const auto done = service_->cli({"alerts", "rules", word, file, "--json"});
        QCOMPARE(done.status, 2);
        QCOMPARE(done.error()[u"code"].toString(), QString("alert_rule_invalid"));
        QVERIFY(done.err.contains("'threshold'"));
    }
    QVERIFY(write("{\n  nonsense"));
    QVERIFY(service_->cli({"alerts", "rules", "check", file}).err.contains("line 2"));
    QVERIFY(write(R"({"name":"x","metric":"memory_ratio","comparison":">","threshold":0.9})"));
    QCOMPARE(service_->cli({"alerts", "rules", "check", file}).status, 0);
    QCOMPARE(service_->cli({"alerts", "rules", "check", "/no/such/file"}).status, 2);
    QCOMPARE(service_->cli({"alerts", "rules", "enable", "nobody"}).status, 2);
    QCOMPARE(service_->cli({"alerts", "rules", "remove", "nobody"}).status, 2);
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "orphans"}).status, 2);
    QCOMPARE(service_->cli({"alerts", "silence", "--until-resolved"}).status, 2);
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "x", "--for", "1h"}).status, 2);
    QCOMPARE(service_->cli({"alerts", "unsilence", "77"}).status, 2);
    // One of the default set comes back as it was.
    QVERIFY(change_rule("orphans", {{"threshold", 5}}));
    QCOMPARE(service_->cli({"alerts", "rules", "remove", "orphans"}).status, 0);
    QVERIFY(service_->cli({"alerts", "rules"}).out.contains("orphan_regions > 0"));
}

void Alerts::a_backtest_finds_what_was_recorded() {
    for (int i = 0; i < 3; ++i) QVERIFY(!allocate().isEmpty());
    const auto file = service_->host().path("rule.json");
    QVERIFY(set_rule({{"name", "made"},
                      {"event", "allocated"},
                      {"comparison", ">="},
                      {"threshold", 3},
                      {"window_ms", 60'000}}));
    QJsonObject result;
    QVERIFY(QTest::qWaitFor(
        [&] {
            result = service_->cli_json({"alerts", "backtest", "made", "--since", "1h"});
            return result[u"firings"].toArray().size() == 1;
        },
        kPatienceMs));
    QCOMPARE(result[u"firings"][0][u"worst"].toDouble(), 3.0);
    service_->stop();
    const auto words = service_->cli({"alerts", "backtest", "--file", file});
    QVERIFY2(words.out.contains("would have fired once"), qPrintable(words.out + words.err));
    QCOMPARE(service_->cli({"alerts", "backtest", "deadlock"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "backtest"}).status, 2);
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
