// SPDX-License-Identifier: MIT
// Webhooks and commands that misbehave, so that nobody else waits for them.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <QtTest>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include <fmt/format.h>

#include "alerts/receiver.h"
#include "platform/run_command.h"

using namespace snakepit::shm;

namespace {

constexpr int kPatienceMs = 30'000;
const std::atomic<bool> kNotCancelled{false};

Notification notification() {
    Alert alert;
    alert.rule = "a";
    alert.state = Alert::State::firing;
    return {"test", {alert}};
}

// Says something to whoever connects, and then the same piece again and again.
class Talker {
  public:
    Talker(std::string begin, std::string piece,
           std::chrono::milliseconds pause = std::chrono::milliseconds(0))
        : begin_(std::move(begin)), piece_(std::move(piece)), pause_(pause) {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* any = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = sizeof address;
        if (::bind(listener_, any, size) != 0 || ::listen(listener_, 1) != 0 ||
            ::getsockname(listener_, any, &size) != 0)
            qFatal("no socket");
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { talk(); });
    }
    ~Talker() {
        ending_ = true;
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
    int said() const { return said_; }  // pieces

  private:
    void talk() {
        const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0) return;
        std::array<char, 4096> request;
        (void)::recv(peer, request.data(), request.size(), 0);
        for (auto text = begin_;
             !ending_ && ::send(peer, text.data(), text.size(), MSG_NOSIGNAL) > 0; text = piece_) {
            ++said_;
            std::this_thread::sleep_for(pause_);
        }
        ::close(peer);
    }

    std::string begin_, piece_;
    std::chrono::milliseconds pause_;
    int listener_ = -1, port_ = 0;
    std::atomic<bool> ending_{false};
    std::atomic<int> said_{0};
    std::thread thread_;
};

}  // namespace

class AlertReceivers : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { ::signal(SIGPIPE, SIG_IGN); }
    void a_webhook_that_leads_elsewhere_is_not_followed();
    void of_a_webhook_only_the_status_is_read();
    void a_webhook_that_dribbles_its_answer_is_given_up_when_the_manager_stops();
    void a_command_that_leaves_its_group_is_killed_too();
    void a_command_has_nothing_open_of_ours();
};

void AlertReceivers::a_webhook_that_leads_elsewhere_is_not_followed() {
    Talker elsewhere(
        "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "");
    const auto status = webhook_receiver(elsewhere.url())->notify(notification(), kNotCancelled);
    QVERIFY(!status && status.error().code == ErrorCode::invalid_argument);
    QVERIFY(status.error().message.find("302") != std::string::npos);
}

void AlertReceivers::of_a_webhook_only_the_status_is_read() {
    for (const auto* head : {"HTTP/1.1 200 OK\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: "
                             "9223372036854775807\r\n\r\n"}) {
        Talker endless(head, std::string(65536, 'x'));
        const auto status = webhook_receiver(endless.url())->notify(notification(), kNotCancelled);
        QVERIFY2(status, status ? "" : status.error().message.c_str());
    }
    Talker refusing("HTTP/1.1 500 No\r\n\r\n", std::string(65536, 'x'));
    const auto status = webhook_receiver(refusing.url())->notify(notification(), kNotCancelled);
    QVERIFY(!status && status.error().message.find("500") != std::string::npos);
}

// A byte of a header now and then: no single wait is long.
void AlertReceivers::a_webhook_that_dribbles_its_answer_is_given_up_when_the_manager_stops() {
    Talker dribbling("HTTP/1.1 200 OK\r\nX: ", "y", std::chrono::milliseconds(50));
    std::atomic<bool> cancelled{false};
    std::atomic<bool> ended{false};
    Status status;
    std::thread notifier([&] {
        status = webhook_receiver(dribbling.url())->notify(notification(), cancelled);
        ended = true;
    });
    const bool talks = QTest::qWaitFor([&] { return dribbling.said() > 3; }, kPatienceMs);
    const bool waits = !ended;
    cancelled = true;
    notifier.join();
    QVERIFY(talks && waits);
    QVERIFY(!status && status.error().code == ErrorCode::platform_error);
}

void AlertReceivers::a_command_that_leaves_its_group_is_killed_too() {
    const auto program =
        fmt::format("import os, time\nos.setpgid(0, {})\ntime.sleep(1000)", ::getpgid(0));
    const auto status =
        run_command({{"/usr/bin/python3", "-c", program}, {}, {}, 2000}, kNotCancelled);
    QVERIFY(!status && status.error().code == ErrorCode::timeout);
}

void AlertReceivers::a_command_has_nothing_open_of_ours() {
    const int ours = ::dup(STDERR_FILENO);  // without close-on-exec
    const auto looks = fmt::format("[ -e /proc/$$/fd/2 ] && [ ! -e /proc/$$/fd/{} ]", ours);
    const auto status = run_command({{"/bin/sh", "-c", looks}, {}, {}, kPatienceMs}, kNotCancelled);
    ::close(ours);
    QVERIFY2(status, status ? "" : status.error().message.c_str());
}

QTEST_GUILESS_MAIN(AlertReceivers)
#include "tst_alert_receivers.moc"
