// SPDX-License-Identifier: MIT
#include "client/connection.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "client/launch.h"
#include "platform/locked_memory.h"
#include "platform/wait_word.h"

namespace snakepit::shm {

namespace {

constexpr int kFirstRetryMs = 2;
constexpr int kLongestRetryMs = 50;
// No wait is longer, so that a closed client is noticed.
constexpr int kSliceMs = 50;
// A manager that runs answers by then, however busy the machine; less is not waited for it.
constexpr int kAnswerMs = 100;
// For so long a new client waits for a manager in the place of one that ended.
constexpr int kRestartMs = 5000;

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

Deadline Deadline::in(int millis) {
    return {after_ms(millis), after_ms(std::max(millis, kAnswerMs))};
}

Deadline Deadline::until(std::int64_t end, int millis) {
    const auto wait = std::min(end, after_ms(millis));
    return {wait, std::max(wait, after_ms(kAnswerMs))};
}

Error closed_error() {
    return make_error(ErrorCode::client_closed, "this client was closed", "connect again to go on");
}

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
    connection->deadline_ = connection->usual();
    const char* const wish = std::getenv("SNAKEPIT_SHM_AUTOSTART");
    const bool autostart = wish && std::string_view(wish) == "1";
    auto greeted = autostart ? connection->greet_first() : connection->greet_restarted();
    if (!greeted) {
        const auto code = greeted.error().code;
        if ((code != ErrorCode::no_manager && code != ErrorCode::permission_denied) || !autostart)
            return fail(std::move(greeted).error());
        SHM_TRY(launch_manager(connection->paths_.instance));
        connection->deadline_ = connection->usual();
        SHM_TRY(connection->ensure());
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
    lease_mapping_.reset();  // its lock goes before the socket whose end makes the manager look
}

void Connection::after_fork_in_child() {
    channel_.close();
    kept_.reset();
}

Result<Connection::Lock> Connection::lock(const Deadline& deadline) {
    // First: a forked copy's mutex may be held by nobody for ever.
    if (forked()) return fail(forked_error());
    switch (mutex_.lock_until(deadline.answer)) {
        case ClientMutex::Wait::closed:
            return fail(closed_error());
        case ClientMutex::Wait::late:
            return fail(ErrorCode::no_manager,
                        "the manager has not answered another call of this client in time",
                        "see 'snakepit-shm status'; it may be stopped or overloaded");
        case ClientMutex::Wait::locked:
            break;
    }
    deadline_ = deadline;
    return Lock(mutex_, std::adopt_lock);
}

void Connection::close() {
    closed_.store(true);
    if (forked()) return;
    mutex_.close();
    if (!lease_.valid()) return;
    lease_.wake().fetch_add(1, std::memory_order_release);
    wake_all(lease_.wake());
}

// A client is connected anew while a manager is started again: the socket of the one before is
// there, and nobody serves it.
Status Connection::greet_restarted() {
    const auto until = std::min(deadline_.wait, after_ms(kRestartMs));
    for (int millis = kFirstRetryMs;;) {
        auto greeted = greet_first();
        std::error_code unknown;
        if (greeted || greeted.error().code != ErrorCode::no_manager || !options_.await_restart ||
            monotonic_nanos() >= until ||
            !std::filesystem::exists(paths_.control_socket(), unknown))
            return greeted;
        SHM_TRY(pause(millis));
    }
}

// The user's own manager, else the host's; which it is stays so.
Status Connection::greet_first() {
    auto greeted = greet();
    const auto host = host_paths(paths_);
    if (greeted || greeted.error().code != ErrorCode::no_manager ||
        is_unresponsive(greeted.error()) || !host)
        return greeted;
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
    auto answer = exchange(request, lost);
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

// Connected, or reconnected in time.
Status Connection::ensure() {
    if (lost_) return fail(*lost_);
    if (channel_.valid() && !channel_.intact()) channel_.disown();
    int millis = kFirstRetryMs;
    while (!channel_.valid()) {
        auto greeted = greet();
        if (greeted) {
            reconnected_();
            break;
        }
        const auto code = greeted.error().code;
        const bool may_come = code == ErrorCode::no_manager || code == ErrorCode::timeout ||
                              code == ErrorCode::protocol_error;
        if (!may_come || monotonic_nanos() >= deadline_.wait) return greeted;
        SHM_TRY(pause(millis));
    }
    return {};
}

// Longer each time, and never beyond the deadline.
Status Connection::pause(int& millis) {
    if (closed()) return fail(closed_error());
    std::this_thread::sleep_for(std::chrono::nanoseconds(
        std::clamp<std::int64_t>(deadline_.wait - monotonic_nanos(), 0, millis * 1'000'000LL)));
    millis = std::clamp(millis * 2, kFirstRetryMs, kLongestRetryMs);
    return {};
}

// Until the socket can be written to or read from. Interrupted by a signal it waits on.
Status Connection::await(bool writable) {
    for (;;) {
        if (closed()) return fail(closed_error());
        SHM_ASSIGN(const auto ready,
                   channel_.wait(writable, std::min(left_ms(deadline_.answer), kSliceMs)));
        if (ready != Io::again) return {};
        if (monotonic_nanos() < deadline_.answer) continue;
        auto late = make_error(ErrorCode::no_manager,
                               "the manager accepts connections and did not answer in time",
                               "see 'snakepit-shm status'; it may be stopped or overloaded");
        late.system_error = ETIMEDOUT;
        return fail(std::move(late));
    }
}

// One try. `lost`: the connection broke, and the manager may or may not have done it.
Result<Connection::Answer> Connection::exchange(const wire::RequestT& request, bool& lost) {
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
    for (;;) {
        SHM_ASSIGN(const auto sent, channel_.send(bytes));
        if (sent != Io::again) break;  // of a manager that closed, what it said before may wait
        SHM_TRY(await(true));
    }
    for (;;) {
        // Waited for without keeping other threads from forking; an answer is never there at once.
        SHM_TRY(await(false));
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
        if (reply.answer.AsEncryptedVersion()) wipe_received(frame_);  // there may be a key in it
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
    for (int millis = 0, lost_before = 0;; ++lost_before) {
        SHM_TRY(ensure());
        send_cancelled();
        bool lost = false;
        auto answer = exchange(request, lost);
        // Once even without time to wait: the connection may have been one to an earlier manager.
        if (answer || !lost || (lost_before > 0 && monotonic_nanos() >= deadline_.wait))
            return answer;
        if (repeated) *repeated = true;
        // At once the first time; a manager that closes again and again is not hammered.
        SHM_TRY(pause(millis));
    }
}

void Connection::cancel_allocation(std::uint64_t request_id) {
    cancelled_.push_back(request_id);
    send_cancelled();
}

void Connection::send_cancelled() {
    while (!cancelled_.empty()) {
        wire::AllocateCancelT call;
        call.allocation = cancelled_.back();
        wire::RequestT request;
        request.call.Set(std::move(call));
        if (!tell(request)) return;
        cancelled_.pop_back();
    }
}

// With a number of its own: some are answered, and the answer is nobody else's.
bool Connection::tell(wire::RequestT request) {
    if (!channel_.valid() || !channel_.intact()) return false;
    request.id = next_id_++;
    const auto sent = channel_.send(encoder_.encode(request));
    return sent && *sent == Io::done;
}

}  // namespace snakepit::shm
