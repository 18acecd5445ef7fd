// SPDX-License-Identifier: MIT
#include "client/connection.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "client/launch.h"
#include "platform/locked_memory.h"

namespace snakepit::shm {

namespace {

constexpr int kFirstRetryMs = 2;
constexpr int kLongestRetryMs = 100;

std::int64_t after_ms(int millis) {
    return monotonic_nanos() + std::int64_t{millis} * 1'000'000;
}
int left_ms(std::int64_t deadline) {
    return static_cast<int>(
        std::clamp<std::int64_t>((deadline - monotonic_nanos()) / 1'000'000, 0, 1'000'000));
}

// The frame's memory is ours; its bytes are const for everybody who only reads them.
void wipe_received(const Frame& frame) {
    wipe({const_cast<std::byte*>(frame.bytes.data()), frame.bytes.size()});
}

}  // namespace

Error forked_error() {
    return make_error(ErrorCode::forked,
                      "this process was forked and inherits no connection to the manager",
                      "connect again in the child");
}

tl::unexpected<Error> unexpected_answer() {
    return fail(ErrorCode::protocol_error, "the manager's answer is not one to this request",
                "use one release of both");
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectOptions& options) {
    std::unique_ptr<Connection> connection(new Connection);
    connection->options_ = options;
    SHM_ASSIGN(connection->paths_, resolve_paths(options.instance));
    auto& guard = ForkGuard::instance();
    guard.settle();
    connection->home_ = guard.here();
    if (auto greeted = connection->greet_first(); !greeted) {
        const auto code = greeted.error().code;
        const char* autostart = std::getenv("SNAKEPIT_SHM_AUTOSTART");
        if ((code != ErrorCode::no_manager && code != ErrorCode::permission_denied) || !autostart ||
            std::string_view(autostart) != "1")
            return fail(std::move(greeted).error());
        SHM_TRY(launch_manager(connection->paths_.instance));
        SHM_TRY(connection->ensure(after_ms(options.timeout_ms)));
    }
    guard.enter(connection.get());
    return connection;
}

Connection::~Connection() {
    if (forked()) {
        lease_mapping_.abandon();
        return;
    }
    ForkGuard::instance().leave(this);
    lease_mapping_
        .reset();  // the liveness lock, before the socket whose end makes the manager look
}

void Connection::after_fork_in_child() {
    channel_.close();
    kept_.reset();
}

// The user's own manager, else the host's; which it is stays so.
Status Connection::greet_first() {
    auto greeted = greet();
    const auto host = host_paths(paths_);
    if (greeted || greeted.error().code != ErrorCode::no_manager || !host) return greeted;
    const auto own = std::exchange(paths_, *host);
    auto other = greet();
    if (other) return other;
    paths_ = own;
    if (other.error().code != ErrorCode::permission_denied) return greeted;
    other.error().remedy =
        "ask to become a member of the group that may use the host's manager, or start one of your "
        "own with 'snakepit-shm serve'";
    return other;
}

// A new session, or the old one again.
Status Connection::greet() {
    SHM_ASSIGN(channel_, Channel::connect(paths_.control_socket()));
    wire::HelloT hello;
    hello.version = kProtocolVersion;
    hello.lease = options_.lease;
    hello.token = token_;
    wire::RequestT request;
    request.call.Set(std::move(hello));
    bool lost = false;
    auto answer = exchange(request, after_ms(options_.timeout_ms), lost);
    if (!answer) {
        channel_.close();
        if (answer.error().code == ErrorCode::registry_lost) lost_ = answer.error();
        return fail(std::move(answer).error());
    }
    const auto* welcome = answer->reply.answer.AsWelcome();
    if (!welcome)
        return fail(ErrorCode::protocol_error, "the manager did not answer the greeting",
                    "use one release of both");
    if (welcome->leased && !welcome->resumed) {
        if (!answer->handle)
            return fail(ErrorCode::protocol_error, "the manager sent no lease page");
        SHM_ASSIGN(lease_mapping_, Mapping::map(answer->handle, layout::LeaseOffsets::end,
                                                Mapping::Access::read_write));
        lease_ = layout::LeasePage(lease_mapping_.data());
        token_ = welcome->token;
    }
    return {};
}

// Connected, or reconnected by `deadline`.
Status Connection::ensure(std::int64_t deadline) {
    if (lost_) return fail(*lost_);
    if (channel_.valid() && !channel_.intact()) channel_.disown();
    int pause = kFirstRetryMs;
    while (!channel_.valid()) {
        auto greeted = greet();
        if (greeted) break;
        const auto code = greeted.error().code;
        const bool may_come = code == ErrorCode::no_manager || code == ErrorCode::timeout ||
                              code == ErrorCode::protocol_error;
        if (!may_come || monotonic_nanos() >= deadline) return greeted;
        std::this_thread::sleep_for(std::chrono::milliseconds(pause));
        pause = std::min(pause * 2, kLongestRetryMs);
    }
    return {};
}

// One try. `lost`: the connection broke, and the manager may or may not have done it.
Result<Connection::Answer> Connection::exchange(const wire::RequestT& request,
                                                std::int64_t deadline, bool& lost) {
    const auto bytes = encoder_.encode(request);
    if (bytes.size() > kMaxFrame)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("the request has {} bytes, at most {} fit", bytes.size(), kMaxFrame),
            "ask for less at a time");
    trips_.fetch_add(1, std::memory_order_relaxed);
    const auto broken = [&] {
        lost = true;
        channel_.close();
        return fail(ErrorCode::no_manager, "the manager closed the connection",
                    "see whether it runs with 'snakepit-shm status'");
    };
    const auto late = [&] {
        return fail(ErrorCode::timeout,
                    fmt::format("the manager did not answer within {} ms", options_.timeout_ms),
                    "see 'snakepit-shm status'; it may be stopped or overloaded");
    };
    for (;;) {
        SHM_ASSIGN(const auto sent, channel_.send(bytes));
        if (sent == Io::done) break;
        if (sent == Io::closed) return broken();
        SHM_ASSIGN(const auto room, channel_.wait(true, left_ms(deadline)));
        if (room == Io::again && monotonic_nanos() >= deadline) return late();
    }
    for (;;) {
        // Waited for without keeping other threads from forking; an answer is never there at once.
        SHM_ASSIGN(const auto readable, channel_.wait(false, left_ms(deadline)));
        if (readable == Io::again) {
            if (monotonic_nanos() >= deadline) return late();
            continue;
        }
        auto no_fork = ForkGuard::instance().no_fork();
        auto received = channel_.receive(frame_);
        if (!received) {
            // A frame that was cut, or whose handle this process has no room for: asking again
            // would end the same way.
            channel_.close();
            return fail(std::move(received).error());
        }
        if (*received == Io::closed) return broken();
        if (*received == Io::again) continue;
        SHM_ASSIGN(auto reply, decode_reply(frame_.bytes));
        if (reply.answer.AsSealed()) wipe_received(frame_);  // there may be a key in it
        // Id 0: the manager ends the connection and says why. Another id: an answer nobody waits
        // for any more.
        if (reply.id != request.id && reply.id != 0) continue;
        if (const auto* failure = reply.answer.AsFailure()) {
            auto error = from_wire(*failure);
            if (reply.id == 0 && request.id != 0) channel_.close();
            refused_ = reply.id == request.id;
            return fail(std::move(error));
        }
        return Answer{std::move(reply),
                      frame_.handles.empty() ? Handle() : std::move(frame_.handles.front()),
                      std::move(no_fork)};
    }
}

Result<Connection::Answer> Connection::call(wire::RequestT request, bool* repeated) {
    if (request.id == 0) request.id = next_request();
    refused_ = false;
    const auto deadline = after_ms(options_.timeout_ms);
    for (int pause = 0;;) {
        SHM_TRY(ensure(deadline));
        tell_forsaken();
        bool lost = false;
        auto answer = exchange(request, deadline, lost);
        if (answer || !lost || monotonic_nanos() >= deadline) return answer;
        if (repeated) *repeated = true;
        // At once the first time; a manager that closes again and again is not hammered.
        std::this_thread::sleep_for(std::chrono::milliseconds(pause));
        pause = std::clamp(pause * 2, kFirstRetryMs, kLongestRetryMs);
    }
}

std::int64_t Connection::deadline() const {
    return after_ms(options_.timeout_ms);
}

void Connection::forsake(std::uint64_t request_id) {
    forsaken_.push_back(request_id);
    tell_forsaken();
}

void Connection::tell_forsaken() {
    while (!forsaken_.empty()) {
        wire::AllocateForsakeT call;
        call.allocation = forsaken_.back();
        wire::RequestT request;
        request.call.Set(std::move(call));
        if (!tell(request)) return;
        forsaken_.pop_back();
    }
}

bool Connection::tell(const wire::RequestT& request) {
    if (!channel_.valid() || !channel_.intact()) return false;
    const auto sent = channel_.send(encoder_.encode(request));
    return sent && *sent == Io::done;
}

}  // namespace snakepit::shm
