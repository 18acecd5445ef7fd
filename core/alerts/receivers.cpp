// SPDX-License-Identifier: MIT
// Journal, command and webhook.
#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "alerts/receiver.h"
#include "base/time.h"
#include "platform/journal.h"
#include "platform/run_command.h"

namespace snakepit::shm {

namespace {

constexpr int kTimeoutSeconds = 5;

// Syslog priorities: critical, warning, notice; informational when resolved.
int priority(const Alert& alert) {
    if (alert.state == Alert::State::resolved) return 6;
    switch (alert.severity) {
        case AlertSeverity::critical:
            return 2;
        case AlertSeverity::warning:
            return 4;
        case AlertSeverity::info:
            break;
    }
    return 5;
}

class JournalReceiver final : public Receiver {
  public:
    explicit JournalReceiver(std::string socket) : socket_(std::move(socket)) {}
    std::string name() const override { return "journal"; }

    Status notify(const Notification& notification, const std::atomic<bool>&) override {
        const auto& first = notification.first();
        std::string subjects;
        for (const auto& alert : notification.alerts)
            subjects += (subjects.empty() ? "" : "\n") + alert.subject;
        const std::pair<std::string_view, std::string> fields[] = {
            {"MESSAGE", first.evidence.empty()
                            ? headline(notification)
                            : headline(notification) + " (" + first.evidence + ")"},
            {"PRIORITY", std::to_string(priority(first))},
            {"SYSLOG_IDENTIFIER", "snakepit-shm"},
            {"SNAKEPIT_SHM_INSTANCE", notification.instance},
            {"SNAKEPIT_SHM_ALERT", first.rule},
            {"SNAKEPIT_SHM_ALERT_ID", std::to_string(first.id)},
            {"SNAKEPIT_SHM_ALERT_STATE", std::string(to_string(first.state))},
            {"SNAKEPIT_SHM_ALERT_SEVERITY", std::string(to_string(first.severity))},
            {"SNAKEPIT_SHM_ALERT_SUBJECT", subjects},
            {"SNAKEPIT_SHM_ALERT_VALUE", value_text(first.value, first.unit)},
            {"SNAKEPIT_SHM_ALERT_REMEDY", first.remedy}};
        return send_to_journal(fields, socket_);
    }

  private:
    std::string socket_;
};

class CommandReceiver final : public Receiver {
  public:
    explicit CommandReceiver(std::vector<std::string> words) : words_(std::move(words)) {}
    std::string name() const override { return "command"; }

    Status notify(const Notification& notification, const std::atomic<bool>& cancelled) override {
        const auto& first = notification.first();
        Command command{words_, {}, to_json(notification), kCommandMs};
        const std::pair<const char*, std::string> variables[] = {
            {"INSTANCE", notification.instance},
            {"RULE", first.rule},
            {"TITLE", first.title},
            {"STATE", std::string(to_string(first.state))},
            {"SEVERITY", std::string(to_string(first.severity))},
            {"SUBJECT", first.subject},
            {"ID", std::to_string(first.id)},
            {"COUNT", std::to_string(notification.alerts.size())},
            {"VALUE", value_text(first.value, first.unit)},
            {"EVIDENCE", first.evidence},
            {"REMEDY", first.remedy}};
        for (const auto& [name, value] : variables)
            // A NUL in another process's name must not end the text early.
            command.environment.push_back(
                fmt::format("SNAKEPIT_ALERT_{}={}", name, value.substr(0, value.find('\0'))));
        return run_command(command, cancelled);
    }

  private:
    static constexpr int kCommandMs = 10'000;
    std::vector<std::string> words_;
};

// Stops a client that takes too long or was cancelled: each byte of an answer may come late, and
// some answers never end.
class Deadline {
  public:
    Deadline(httplib::Client& client, const std::atomic<bool>& cancelled)
        : thread_([this, &client, &cancelled] { watch(client, cancelled); }) {}
    ~Deadline() {
        {
            const std::lock_guard lock(mutex_);
            done_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

  private:
    static constexpr std::int64_t kWhole = 10'000'000'000;  // nanoseconds
    static constexpr auto kSlice = std::chrono::milliseconds(100);

    void watch(httplib::Client& client, const std::atomic<bool>& cancelled) {
        const auto until = monotonic_nanos() + kWhole;
        std::unique_lock lock(mutex_);
        // Repeated: the client may only be about to connect.
        while (!wake_.wait_for(lock, kSlice, [this] { return done_; }))
            if (cancelled.load(std::memory_order_relaxed) || monotonic_nanos() >= until)
                client.stop();
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    bool done_ = false;  // guarded by mutex_
    std::thread thread_;
};

class WebhookReceiver final : public Receiver {
  public:
    explicit WebhookReceiver(const std::string& url) {
        const auto host = url.find("://");
        const auto slash = url.find('/', host == std::string::npos ? 0 : host + 3);
        base_ = url.substr(0, slash);
        path_ = slash == std::string::npos ? "/" : url.substr(slash);
    }
    std::string name() const override { return "webhook"; }
    int retries() const override { return 8; }

    Status notify(const Notification& notification, const std::atomic<bool>& cancelled) override {
        httplib::Client client(base_);
        if (!client.is_valid())
            return fail(ErrorCode::invalid_argument, base_ + " is not the address of a web server",
                        "write it as http://HOST:PORT/PATH");
        client.set_connection_timeout(kTimeoutSeconds);
        client.set_read_timeout(kTimeoutSeconds);
        client.set_write_timeout(kTimeoutSeconds);
        httplib::Request request;
        request.method = "POST";
        request.path = path_;
        request.body = webhook_body(notification);
        request.set_header("Content-Type", "application/json");
        int status = 0;
        request.response_handler = [&status](const httplib::Response& response) {
            status = response.status;
            return true;
        };
        // The body is not read: it may be endless.
        request.content_receiver = [](auto...) { return false; };
        const Deadline deadline(client, cancelled);
        const auto answer = client.send(request);
        return result_of(answer ? answer->status : status, answer.error());
    }

  private:
    // `status`: 0: no response.
    Status result_of(int status, httplib::Error error) const {
        switch (status / 100) {
            case 2:
                return {};
            case 0:
                return fail(
                    ErrorCode::platform_error,
                    fmt::format("no response from {}: {}", base_, httplib::to_string(error)),
                    "check that it is running and reachable");
            case 3:  // another attempt would get the same answer
                return fail(ErrorCode::invalid_argument,
                            fmt::format("{} redirects (status {})", base_, status),
                            "configure the address it redirects to");
            case 4:
                return fail(ErrorCode::invalid_argument,
                            fmt::format("{} answered with status {}", base_, status),
                            "check its log");
            default:
                return fail(ErrorCode::platform_error,
                            fmt::format("{} answered with status {}", base_, status),
                            "check its log");
        }
    }

    std::string base_, path_;
};

}  // namespace

std::unique_ptr<Receiver> journal_receiver(std::string socket) {
    return std::make_unique<JournalReceiver>(std::move(socket));
}
std::unique_ptr<Receiver> command_receiver(std::vector<std::string> words) {
    return std::make_unique<CommandReceiver>(std::move(words));
}
std::unique_ptr<Receiver> webhook_receiver(const std::string& url) {
    return std::make_unique<WebhookReceiver>(url);
}

std::vector<std::unique_ptr<Receiver>> make_receivers(const AlertOptions& options) {
    std::vector<std::unique_ptr<Receiver>> out;
    if (options.journal) out.push_back(journal_receiver());
    if (!options.command.empty()) out.push_back(command_receiver(options.command));
    if (!options.webhook.empty()) out.push_back(webhook_receiver(options.webhook));
    return out;
}

}  // namespace snakepit::shm
