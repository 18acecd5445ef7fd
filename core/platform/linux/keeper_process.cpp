// SPDX-License-Identifier: MIT
// The manager's side of the keeper process: starts it, gives it descriptors, asks for them.
// Frames are words: "hello" -> "keeper <pid>"; "put NAME" with a descriptor, "drop NAME" -> "ok" or
// "no <why>"; "all" -> "has NAME" with a descriptor for each, then "ok".
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/time.h"
#include "platform/channel.h"
#include "platform/keeper.h"
#include "platform/process.h"

namespace snakepit::shm {

namespace {

constexpr int kAnswerMs = 5000;
constexpr int kBeginMs = 20'000;     // a program is started, or many descriptors are sent
constexpr int kTryAgainMs = 30'000;  // after one could not be started

std::int64_t after_ms(int millis) {
    return monotonic_nanos() + std::int64_t{millis} * 1'000'000;
}

int left_ms(std::int64_t deadline) {
    return static_cast<int>(std::max<std::int64_t>((deadline - monotonic_nanos()) / 1'000'000, 0));
}

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(const Frame& frame) {
    return {reinterpret_cast<const char*>(frame.bytes.data()), frame.bytes.size()};
}

class KeeperProcess final : public DescriptorKeeper {
  public:
    explicit KeeperProcess(std::string socket) : socket_(std::move(socket)) {}

    Result<bool> ensure() override;
    Status put(const std::string& name, const Handle& descriptor) override;
    Status drop(const std::string& name) override;
    Result<std::vector<KeptDescriptor>> take_all() override;
    bool alive() override;
    std::string name() const override;

  private:
    Status start();
    Status greet();
    Status send(const std::string& text, const Handle* handle, std::int64_t deadline);
    Result<std::string> receive(std::int64_t deadline);
    Status ask(const std::string& text, const Handle* handle);
    bool connected() const;
    tl::unexpected<Error> silent();

    const std::string socket_;
    mutable std::mutex mutex_;  // guards what follows
    Channel channel_;
    Frame frame_;
    std::int64_t pid_ = 0;
    std::int64_t try_again_ = 0;  // monotonic nanoseconds
};

tl::unexpected<Error> KeeperProcess::silent() {
    channel_.close();
    return fail(
        ErrorCode::platform_error,
        fmt::format("the descriptor keeper (process {}) does not respond", pid_),
        fmt::format("check what it is doing; ending it loses the regions that only it holds ({})",
                    socket_));
}

bool KeeperProcess::connected() const {
    if (!channel_.valid()) return false;
    pollfd entry{channel_.handle().get(), POLLRDHUP, 0};
    return ::poll(&entry, 1, 0) == 0;
}

bool KeeperProcess::alive() {
    const std::lock_guard lock(mutex_);
    return connected();
}

std::string KeeperProcess::name() const {
    const std::lock_guard lock(mutex_);
    return connected() ? fmt::format("process {}", pid_) : std::string();
}

Status KeeperProcess::send(const std::string& text, const Handle* handle, std::int64_t deadline) {
    const int number = handle ? handle->get() : -1;
    const auto handles = handle ? std::span(&number, 1) : std::span<const int>();
    for (;;) {
        SHM_ASSIGN(const auto sent, channel_.send(bytes_of(text), handles));
        if (sent == Io::done) return {};
        if (sent == Io::closed || left_ms(deadline) == 0) return silent();
        SHM_TRY(channel_.wait(true, left_ms(deadline)));
    }
}

Result<std::string> KeeperProcess::receive(std::int64_t deadline) {
    for (;;) {
        SHM_ASSIGN(const auto received, channel_.receive(frame_));
        if (received == Io::done) return text_of(frame_);
        if (received == Io::closed || left_ms(deadline) == 0) return silent();
        SHM_TRY(channel_.wait(false, left_ms(deadline)));
    }
}

Status KeeperProcess::ask(const std::string& text, const Handle* handle) {
    if (!channel_.valid())
        return fail(ErrorCode::platform_error, "the descriptor keeper has exited");
    const auto deadline = after_ms(kAnswerMs);
    SHM_TRY(send(text, handle, deadline));
    SHM_ASSIGN(const auto answer, receive(deadline));
    if (answer == "ok") return {};
    return fail(ErrorCode::platform_error,
                fmt::format("the descriptor keeper refused: {}", answer));
}

Status KeeperProcess::put(const std::string& name, const Handle& descriptor) {
    const std::lock_guard lock(mutex_);
    return ask("put " + name, &descriptor);
}

Status KeeperProcess::drop(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return ask("drop " + name, nullptr);
}

// Connected: reads its identity.
Status KeeperProcess::greet() {
    const auto deadline = after_ms(kBeginMs);
    SHM_TRY(send("hello", nullptr, deadline));
    SHM_ASSIGN(const auto answer, receive(deadline));
    if (!answer.starts_with("keeper "))
        return fail(ErrorCode::protocol_error,
                    fmt::format("the process at {} is not a keeper", socket_));
    pid_ = std::strtoll(answer.c_str() + 7, nullptr, 10);
    return {};
}

Result<std::vector<KeptDescriptor>> KeeperProcess::take_all() {
    const std::lock_guard lock(mutex_);
    std::vector<KeptDescriptor> out;
    // A keeper that is exiting closes the connection at once. One that is running but silent has
    // the only descriptors.
    for (const auto deadline = after_ms(kBeginMs);;) {
        auto connected = Channel::connect(socket_);
        if (!connected && connected.error().code == ErrorCode::no_manager) return out;
        if (!connected) return fail(std::move(connected).error());
        channel_ = std::move(*connected);
        auto greeted = greet();
        if (greeted) break;
        if (left_ms(deadline) == 0) return fail(std::move(greeted).error());
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    SHM_TRY(send("all", nullptr, after_ms(kBeginMs)));
    for (;;) {
        SHM_ASSIGN(const auto answer, receive(after_ms(kBeginMs)));
        if (answer == "ok") return out;
        if (!answer.starts_with("has ") || frame_.handles.size() != 1)
            return fail(ErrorCode::protocol_error,
                        fmt::format("unexpected answer from the descriptor keeper: {}", answer));
        out.push_back({answer.substr(4), std::move(frame_.handles.front())});
    }
}

// It inherits a listening socket: no process has to wait for it, and no second keeper can listen
// there.
Status KeeperProcess::start() {
    channel_.close();
    SHM_ASSIGN(const auto listener, Listener::bind(socket_));
    SHM_ASSIGN(const auto child, start_detached(companion_program("snakepit-shm-keeper"), {socket_},
                                                listener.handle()));
    const auto begun = [&]() -> Status {
        SHM_ASSIGN(channel_, Channel::connect(socket_));
        return greet();
    }();
    // The started process has daemonised and exited by now, or will never start.
    if (!begun) ::kill(static_cast<pid_t>(child), SIGKILL);
    ::waitpid(static_cast<pid_t>(child), nullptr, 0);
    return begun;
}

Result<bool> KeeperProcess::ensure() {
    const std::lock_guard lock(mutex_);
    if (connected()) return false;
    if (monotonic_nanos() < try_again_)
        return fail(
            ErrorCode::platform_error, "cannot start the descriptor keeper",
            "check 'snakepit-shm events', and that the program snakepit-shm-keeper is installed");
    try_again_ = after_ms(kTryAgainMs);
    SHM_TRY(start());
    try_again_ = 0;
    return true;
}

}  // namespace

std::shared_ptr<DescriptorKeeper> keeper_process(std::string socket) {
    std::error_code unknown;
    auto absolute =
        std::filesystem::absolute(socket, unknown);  // the keeper has another working directory
    return std::make_shared<KeeperProcess>(unknown ? std::move(socket) : absolute.string());
}

}  // namespace snakepit::shm
