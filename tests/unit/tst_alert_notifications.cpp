// SPDX-License-Identifier: MIT
// How people are told: commands, webreceivers and the journal, with the other side in the test.
#include <httplib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QtTest>
#include <mutex>
#include <thread>

#include "alerts/notification_dispatcher.h"
#include "platform/journal.h"
#include "platform/run_command.h"

using namespace snakepit::shm;

namespace {

constexpr int kPatienceMs = 30'000;
const std::atomic<bool> kNotCancelled{false};

Alert alert_of(const char* rule, const char* subject, Alert::State state = Alert::State::firing) {
    Alert alert;
    alert.id = 3;
    alert.rule = rule;
    alert.title = "Title of it";
    alert.severity = AlertSeverity::critical;
    alert.state = state;
    alert.subject = subject;
    alert.value = 0.91;
    alert.unit = "ratio";
    alert.evidence = "because";
    alert.remedy = "do this";
    alert.since = {1'700'000'000'000'000};
    alert.fired_at = {1'700'000'060'000'000};
    if (state == Alert::State::resolved) alert.resolved_at = {1'700'000'090'000'000};
    return alert;
}

Notification notification_of(std::vector<Alert> alerts) {
    return {"test", std::move(alerts)};
}

QJsonObject object(const std::string& json) {
    return QJsonDocument::fromJson(QByteArray::fromStdString(json)).object();
}

QByteArray contents(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

// Answers with the statuses it is given, the last of them for ever.
class WebServer {
  public:
    explicit WebServer(std::vector<int> statuses) : statuses_(std::move(statuses)) {
        server_.Post("/hook", [this](const httplib::Request& request, httplib::Response& response) {
            const std::lock_guard lock(mutex_);
            response.status = statuses_[std::min(bodies_.size(), statuses_.size() - 1)];
            bodies_.push_back(request.body);
        });
        port_ = server_.bind_to_any_port("127.0.0.1");
        thread_ = std::thread([this] { server_.listen_after_bind(); });
        while (!server_.is_running()) std::this_thread::yield();
    }
    ~WebServer() {
        server_.stop();
        thread_.join();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
    std::vector<std::string> bodies() const {
        const std::lock_guard lock(mutex_);
        return bodies_;
    }

  private:
    httplib::Server server_;
    int port_ = 0;
    std::vector<int> statuses_;
    mutable std::mutex mutex_;
    std::vector<std::string> bodies_;
    std::thread thread_;
};

// A receiver that answers as the test says.
class Puppet final : public Receiver {
  public:
    struct Strings {
        std::mutex mutex;
        std::vector<Notification> told;
        std::deque<Status> answers;  // none left: it works
        std::size_t count() {
            const std::lock_guard lock(mutex);
            return told.size();
        }
    };
    explicit Puppet(std::shared_ptr<Strings> strings, int retries = 0)
        : strings_(std::move(strings)), retries_(retries) {}
    std::string name() const override { return "puppet"; }
    int retries() const override { return retries_; }
    Status notify(const Notification& notification, const std::atomic<bool>&) override {
        const std::lock_guard lock(strings_->mutex);
        strings_->told.push_back(notification);
        if (strings_->answers.empty()) return {};
        auto answer = strings_->answers.front();
        strings_->answers.pop_front();
        return answer;
    }

  private:
    std::shared_ptr<Strings> strings_;
    int retries_;
};

Status broken() {
    return fail(ErrorCode::platform_error, "it is broken");
}

void at_once(const Notification&, const std::function<void()>& then) {
    if (then) then();
}

struct Reports {
    std::mutex mutex;
    std::vector<ReceiverReport> all;
    ReceiverQueue::Report collect() {
        return [this](const ReceiverReport& report) {
            const std::lock_guard lock(mutex);
            all.push_back(report);
        };
    }
    std::size_t count() {
        const std::lock_guard lock(mutex);
        return all.size();
    }
};

}  // namespace

class AlertNotifications : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { ::signal(SIGPIPE, SIG_IGN); }
    void a_command_is_told_by_its_environment_and_its_input();
    void a_command_that_fails_hangs_or_is_not_there_is_said_so();
    void a_webhook_gets_what_alertmanager_would_post();
    void a_webhook_that_fails_is_tried_again_and_one_that_refuses_is_not();
    void a_webhook_that_is_not_there_is_an_error();
    void the_journal_gets_fields();
    void no_journal_is_no_failure();
    void alerts_of_one_rule_are_told_together();
    void what_waits_is_told_at_the_end();
    void an_outage_is_reported_once_with_what_it_cost();
};

void AlertNotifications::a_command_is_told_by_its_environment_and_its_input() {
    const QTemporaryDir dir;
    const auto file = dir.filePath("told");
    const auto receiver = command_receiver(
        {"/bin/sh", "-c",
         "{ echo \"$SNAKEPIT_ALERT_RULE $SNAKEPIT_ALERT_STATE $SNAKEPIT_ALERT_SUBJECT "
         "$SNAKEPIT_ALERT_VALUE $SNAKEPIT_ALERT_COUNT $1 ${NOTIFY_SOCKET-none}\"; cat; } > " +
             file.toStdString(),
         "sh", "word"});
    qputenv("NOTIFY_SOCKET", "/nowhere");
    const auto status = receiver->notify(
        notification_of({alert_of("a", "x y"), alert_of("a", "z")}), kNotCancelled);
    qunsetenv("NOTIFY_SOCKET");
    QVERIFY2(status, status ? "" : status.error().message.c_str());
    const auto told = contents(file);
    QCOMPARE(told.left(told.indexOf('\n')), QByteArray("a firing x y 91 % 2 word none"));
    const auto json = object(told.mid(told.indexOf('\n') + 1).toStdString());
    QCOMPARE(json[u"alerts"].toArray().size(), 2);
    QCOMPARE(json[u"status"].toString(), "firing");
    QCOMPARE(json[u"alerts"][0].toObject()[u"evidence"].toString(), "because");
}

void AlertNotifications::a_command_that_fails_hangs_or_is_not_there_is_said_so() {
    const auto run = [](std::vector<std::string> words) {
        return run_command({std::move(words), {}, std::string(1 << 20, 'x'), 300}, kNotCancelled);
    };
    QVERIFY(run({"/bin/true"}));  // reads nothing of it
    const auto status = run({"/bin/sh", "-c", "exit 3"});
    QVERIFY(!status && status.error().message.find("status 3") != std::string::npos);
    const auto signal = run({"/bin/sh", "-c", "kill -9 $$"});
    QVERIFY(!signal && signal.error().message.find("signal 9") != std::string::npos);
    const auto missing = run({"/no/such/program"});
    QVERIFY(!missing && missing.error().message.find("/no/such/program") != std::string::npos);
    const QTemporaryDir dir;
    const auto pid = dir.filePath("pid");
    const auto hanging =
        run({"/bin/sh", "-c", "sleep 1000 & echo $! > " + pid.toStdString() + "; wait"});
    QVERIFY(!hanging && hanging.error().code == ErrorCode::timeout);
    // With what it started.
    const auto child = contents(pid).trimmed().toInt();
    QVERIFY(child > 0);
    QVERIFY(QTest::qWaitFor(
        [&] {
            const auto state = contents(QString("/proc/%1/stat").arg(child));
            return state.isEmpty() || state.contains(") Z ");
        },
        kPatienceMs));
    const std::atomic<bool> cancelled{true};
    QVERIFY(!run_command({{"/bin/sleep", "1000"}, {}, {}, 100'000}, cancelled));
}

void AlertNotifications::a_webhook_gets_what_alertmanager_would_post() {
    const WebServer server({200});
    const auto receiver = webhook_receiver(server.url());
    QVERIFY(receiver->notify(notification_of({alert_of("a", "x", Alert::State::resolved)}),
                             kNotCancelled));
    QCOMPARE(server.bodies().size(), std::size_t{1});
    const auto body = object(server.bodies()[0]);
    QCOMPARE(body[u"version"].toString(), "4");
    QCOMPARE(body[u"status"].toString(), "resolved");
    for (const auto* field : {"groupKey", "truncatedAlerts", "receiver", "groupLabels",
                              "commonLabels", "commonAnnotations", "externalURL"})
        QVERIFY2(body.contains(QLatin1String(field)), field);
    const auto alert = body[u"alerts"][0].toObject();
    QCOMPARE(alert[u"labels"].toObject()[u"alertname"].toString(), "a");
    QCOMPARE(alert[u"labels"].toObject()[u"subject"].toString(), "x");
    QCOMPARE(alert[u"annotations"].toObject()[u"summary"].toString(), "Title of it");
    QCOMPARE(alert["startsAt"].toString(), "2023-11-14T22:13:20.000000Z");
    QCOMPARE(alert["endsAt"].toString(), "2023-11-14T22:14:50.000000Z");
    QCOMPARE(alert[u"fingerprint"].toString().size(), 16);
}

void AlertNotifications::a_webhook_that_fails_is_tried_again_and_one_that_refuses_is_not() {
    Reports reports;
    {
        const WebServer server({500, 200});
        ReceiverQueue queue(webhook_receiver(server.url()), reports.collect());
        queue.push(notification_of({alert_of("a", "x")}));
        QVERIFY(QTest::qWaitFor([&] { return queue.state().delivered == 1; }, kPatienceMs));
        QCOMPARE(server.bodies().size(), std::size_t{2});
        QVERIFY(QTest::qWaitFor([&] { return reports.count() == 2; }, kPatienceMs));
        QVERIFY(reports.all[0].problem.find("500") != std::string::npos);
        QVERIFY(reports.all[1].problem.empty());
    }
    const WebServer server({404});
    ReceiverQueue queue(webhook_receiver(server.url()), reports.collect());
    queue.push(notification_of({alert_of("a", "x")}));
    QVERIFY(QTest::qWaitFor([&] { return queue.state().lost == 1; }, kPatienceMs));
    QCOMPARE(server.bodies().size(), std::size_t{1});
}

void AlertNotifications::a_webhook_that_is_not_there_is_an_error() {
    std::string url;
    {
        const WebServer server({200});
        url = server.url();
    }
    const auto status =
        webhook_receiver(url)->notify(notification_of({alert_of("a", "x")}), kNotCancelled);
    QVERIFY(!status);
    QVERIFY2(status.error().message.find("no response from") != std::string::npos,
             status.error().message.c_str());
}

void AlertNotifications::the_journal_gets_fields() {
    const QTemporaryDir dir;
    const auto path = dir.filePath("socket").toStdString();
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    QCOMPARE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const auto receiver = journal_receiver(path);
    QVERIFY(
        receiver->notify(notification_of({alert_of("a", "x"), alert_of("a", "y")}), kNotCancelled));
    char buffer[8192];
    const auto size = ::recv(socket, buffer, sizeof buffer, 0);
    ::close(socket);
    QVERIFY(size > 0);
    const QByteArray got(buffer, size);
    QVERIFY(got.startsWith("MESSAGE=Title of it: x, y (because)\n"));
    QVERIFY(got.contains("\nPRIORITY=2\n"));
    QVERIFY(got.contains("\nSNAKEPIT_SHM_ALERT=a\n"));
    // Several lines: the length in front.
    QVERIFY(got.contains(QByteArray("\nSNAKEPIT_SHM_ALERT_SUBJECT\n\x03\0\0\0\0\0\0\0x\ny\n", 40)));
}

void AlertNotifications::no_journal_is_no_failure() {
    const auto status = journal_receiver("/no/such/socket")
                            ->notify(notification_of({alert_of("a", "x")}), kNotCancelled);
    QVERIFY(!status && status.error().code == ErrorCode::not_supported);
    Reports reports;
    {
        ReceiverQueue queue(journal_receiver("/no/such/socket"), reports.collect());
        queue.push(notification_of({alert_of("a", "x")}));
        QVERIFY(QTest::qWaitFor([&] { return queue.state().waiting == 0; }, kPatienceMs));
        QCOMPARE(queue.state().delivered + queue.state().lost, std::uint64_t{0});
    }
    QCOMPARE(reports.count(), std::size_t{0});
}

void AlertNotifications::alerts_of_one_rule_are_told_together() {
    Reports reports;
    const auto strings = std::make_shared<Puppet::Strings>();
    NotificationDispatcher dispatcher("test", reports.collect(), at_once,
                                      std::chrono::milliseconds(200));
    std::vector<std::unique_ptr<Receiver>> receivers;
    receivers.push_back(std::make_unique<Puppet>(strings));
    dispatcher.set_receivers(std::move(receivers));
    dispatcher.dispatch({alert_of("a", "1"), alert_of("b", "1")});
    dispatcher.dispatch({alert_of("a", "2"), alert_of("a", "1", Alert::State::resolved)});
    QVERIFY(QTest::qWaitFor([&] { return strings->count() == 3; }, kPatienceMs));
    QCOMPARE(strings->told[0].alerts.size(), std::size_t{2});
    QCOMPARE(headline(strings->told[0]), std::string("Title of it: 1, 2"));
    QCOMPARE(strings->told[1].first().rule, std::string("b"));
    QCOMPARE(headline(strings->told[2]), std::string("Resolved: Title of it: 1"));
    QCOMPARE(dispatcher.state().size(), std::size_t{1});
}

void AlertNotifications::what_waits_is_told_at_the_end() {
    Reports reports;
    const auto strings = std::make_shared<Puppet::Strings>();
    {
        NotificationDispatcher dispatcher("test", reports.collect(), at_once,
                                          std::chrono::hours(1));
        std::vector<std::unique_ptr<Receiver>> receivers;
        receivers.push_back(std::make_unique<Puppet>(strings));
        dispatcher.set_receivers(std::move(receivers));
        dispatcher.dispatch({alert_of("a", "1")});
    }
    QCOMPARE(strings->count(), std::size_t{1});
}

void AlertNotifications::an_outage_is_reported_once_with_what_it_cost() {
    Reports reports;
    const auto strings = std::make_shared<Puppet::Strings>();
    strings->answers = {broken(), broken(), broken(), Status()};
    ReceiverQueue queue(std::make_unique<Puppet>(strings), reports.collect());
    for (int i = 0; i < 4; ++i) queue.push(notification_of({alert_of("a", "1")}));
    QVERIFY(QTest::qWaitFor([&] { return reports.count() == 2; }, kPatienceMs));
    QCOMPARE(reports.all[0].problem, std::string("it is broken"));
    QCOMPARE(reports.all[1].problem, std::string());
    QCOMPARE(reports.all[1].lost, std::uint64_t{3});
    QCOMPARE(queue.state().delivered, std::uint64_t{1});
}

QTEST_GUILESS_MAIN(AlertNotifications)
#include "tst_alert_notifications.moc"
