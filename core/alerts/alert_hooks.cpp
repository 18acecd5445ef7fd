// SPDX-License-Identifier: MIT
// The journal, a command, a webhook.
#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "alerts/alert_hook.h"
#include "base/time.h"
#include "platform/journal.h"
#include "platform/run_command.h"

namespace snakepit::shm {

namespace {

constexpr int kTimeoutSeconds = 5;

// Of syslog: critical, warning, notice; and informational when it is over.
int priority(const Alert& alert) {
    if (alert.state == AlertState::resolved) return 6;
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

class JournalHook final : public AlertHook {
  public:
    explicit JournalHook(std::string socket) : socket_(std::move(socket)) {}
    std::string name() const override { return "journal"; }

    Status tell(const AlertMessage& message, const std::atomic<bool>&) override {
        const auto& first = message.first();
        std::string subjects;
        for (const auto& alert : message.alerts)
            subjects += (subjects.empty() ? "" : "\n") + alert.subject;
        const std::pair<std::string_view, std::string> fields[] = {
            {"MESSAGE", first.evidence.empty() ? headline(message)
                                               : headline(message) + " (" + first.evidence + ")"},
            {"PRIORITY", std::to_string(priority(first))},
            {"SYSLOG_IDENTIFIER", "snakepit-shm"},
            {"SNAKEPIT_SHM_INSTANCE", message.instance},
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

class CommandHook final : public AlertHook {
  public:
    explicit CommandHook(std::vector<std::string> words) : words_(std::move(words)) {}
    std::string name() const override { return "command"; }

    Status tell(const AlertMessage& message, const std::atomic<bool>& cancelled) override {
        const auto& first = message.first();
        Command command{words_, {}, to_json(message), kCommandMs};
        const std::pair<const char*, std::string> variables[] = {
            {"INSTANCE", message.instance},
            {"RULE", first.rule},
            {"TITLE", first.title},
            {"STATE", std::string(to_string(first.state))},
            {"SEVERITY", std::string(to_string(first.severity))},
            {"SUBJECT", first.subject},
            {"ID", std::to_string(first.id)},
            {"COUNT", std::to_string(message.alerts.size())},
            {"VALUE", value_text(first.value, first.unit)},
            {"EVIDENCE", first.evidence},
            {"REMEDY", first.remedy}};
        for (const auto& [name, value] : variables)
            // What comes from other processes' names must not end the text early.
            command.environment.push_back(
                fmt::format("SNAKEPIT_ALERT_{}={}", name, value.substr(0, value.find('\0'))));
        return run_command(command, cancelled);
    }

  private:
    static constexpr int kCommandMs = 10'000;
    std::vector<std::string> words_;
};

// Ends what a client does when it has taken too long or is not wanted any more: each single byte of
// an answer may take its time, and some answers never end.
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
        // Again and again: perhaps it is only about to connect.
        while (!wake_.wait_for(lock, kSlice, [this] { return done_; }))
            if (cancelled.load(std::memory_order_relaxed) || monotonic_nanos() >= until)
                client.stop();
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    bool done_ = false;  // guarded by mutex_
    std::thread thread_;
};

class WebhookHook final : public AlertHook {
  public:
    explicit WebhookHook(const std::string& url) {
        const auto host = url.find("://");
        const auto slash = url.find('/', host == std::string::npos ? 0 : host + 3);
        base_ = url.substr(0, slash);
        path_ = slash == std::string::npos ? "/" : url.substr(slash);
    }
    std::string name() const override { return "webhook"; }
    int retries() const override { return 8; }

    Status tell(const AlertMessage& message, const std::atomic<bool>& cancelled) override {
        httplib::Client client(base_);
        if (!client.is_valid())
            return fail(ErrorCode::invalid_argument, base_ + " is no address of a web server");
        client.set_connection_timeout(kTimeoutSeconds);
        client.set_read_timeout(kTimeoutSeconds);
        client.set_write_timeout(kTimeoutSeconds);
        httplib::Request request;
        request.method = "POST";
        request.path = path_;
        request.body = webhook_body(message);
        request.set_header("Content-Type", "application/json");
        int status = 0;
        request.response_handler = [&status](const httplib::Response& response) {
            status = response.status;
            return true;
        };
        // Nobody reads what else it says, and it may be without an end.
        request.content_receiver = [](auto...) { return false; };
        const Deadline deadline(client, cancelled);
        const auto answer = client.send(request);
        return judge(answer ? answer->status : status, answer.error());
    }

  private:
    // `status`: 0 if there was no answer.
    Status judge(int status, httplib::Error error) const {
        switch (status / 100) {
            case 2:
                return {};
            case 0:
                return fail(ErrorCode::platform_error,
                            fmt::format("{} does not answer: {}", base_, httplib::to_string(error)),
                            "look whether it runs and can be reached");
            case 3:  // what it refuses it would refuse again
                return fail(ErrorCode::invalid_argument,
                            fmt::format("{} answers {}: it is somewhere else", base_, status),
                            "write the address it leads to");
            case 4:
                return fail(ErrorCode::invalid_argument,
                            fmt::format("{} answers {}", base_, status), "look at its messages");
            default:
                return fail(ErrorCode::platform_error, fmt::format("{} answers {}", base_, status),
                            "look at its messages");
        }
    }

    std::string base_, path_;
};

}  // namespace

std::unique_ptr<AlertHook> journal_hook(std::string socket) {
    return std::make_unique<JournalHook>(std::move(socket));
}
std::unique_ptr<AlertHook> command_hook(std::vector<std::string> words) {
    return std::make_unique<CommandHook>(std::move(words));
}
std::unique_ptr<AlertHook> webhook_hook(const std::string& url) {
    return std::make_unique<WebhookHook>(url);
}

std::vector<std::unique_ptr<AlertHook>> make_hooks(const AlertOptions& options) {
    std::vector<std::unique_ptr<AlertHook>> out;
    if (options.journal) out.push_back(journal_hook());
    if (!options.command.empty()) out.push_back(command_hook(options.command));
    if (!options.webhook.empty()) out.push_back(webhook_hook(options.webhook));
    return out;
}

}  // namespace snakepit::shm
