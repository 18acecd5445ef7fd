// SPDX-License-Identifier: MIT
#include "client/connection.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <thread>

#include <fmt/format.h>

#include "client/launch.h"
#include "platform/locked_memory.h"
#include "platform/wait_word.h"

namespace snakepit::shm {

namespace {

constexpr int kFirstRetryMs = 2;
constexpr int kLongestRetryMs = 50;
// The longest single wait, so that closing a client is detected.
constexpr int kAnswerSliceMs = 50;
// A running manager answers within this time even on a busy machine; never wait less.
constexpr int kAnswerMs = 100;
// How long a new client waits for the successor of a manager that ended.
constexpr int kRestartMs = 5000;

std::int64_t after_ms(int millis) {
    return monotonic_nanos() + std::int64_t{millis} * 1'000'000;
}
int left_ms(std::int64_t deadline) {
    return static_cast<int>(
        std::clamp<std::int64_t>((deadline - monotonic_nanos()) / 1'000'000, 0, 1'000'000));
}

// We own the frame's memory; its bytes are const only for readers.
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
    return make_error(ErrorCode::client_closed, "this client was closed",
                      "connect again to continue");
}

Error forked_error() {
    return make_error(ErrorCode::forked,
                      "a forked process does not inherit its parent's connection to the manager",
                      "connect again in the child");
}

tl::unexpected<Error> unexpected_answer() {
    return fail(ErrorCode::protocol_error, "the manager's answer does not match the request",
                "use the same release of the client library and the manager");
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
    if (forked() && !inherited()) {
        lease_mapping_.abandon();
        return;
    }
    ForkGuard::instance().leave(this);
    lease_mapping_
        .reset();  // release its lock before closing the socket, because then the manager checks it
}

void Connection::after_fork_in_child() {
    channel_.close();
    kept_.reset();
}

Status Connection::inherit(int patience_ms) {
    lease_mapping_.abandon();
    lease_ = {};
    token_.clear();
    lost_.reset();
    closed_.store(false);
    new (&mutex_) ClientMutex;  // threads that are not here may have been using them
    new (&outbox_) Outbox;
    reconnected_ = [] {};  // what it sends belongs to the parent
    deadline_ = Deadline::in(patience_ms);
    heir_ = ForkGuard::instance().here();
    for (int millis = kFirstRetryMs;;) {
        auto greeted = greet();
        if (greeted) return {};
        if (monotonic_nanos() >= deadline_.wait) {
            heir_ = 0;
            return greeted;
        }
        SHM_TRY(pause(millis));
    }
}

void Connection::end_inheritance() {
    heir_ = 0;
    lease_ = {};
    lease_mapping_.reset();
    channel_.close();
}

Result<Connection::Lock> Connection::lock(const Deadline& deadline) {
    // First: the mutex of a forked copy may be locked permanently.
    if (forked()) return fail(forked_error());
    switch (mutex_.lock_until(deadline.answer)) {
        case ClientMutex::Wait::closed:
            return fail(closed_error());
        case ClientMutex::Wait::late:
            return fail(ErrorCode::no_manager,
                        "timed out waiting for another call of this client to the manager",
                        "check 'snakepit-shm status'; the manager may be stopped or overloaded");
        case ClientMutex::Wait::locked:
            break;
    }
    deadline_ = deadline;
    return Lock(*this);
}

// A thread that posts and finds the connection locked leaves the message to the one that has it,
// which looks once more after unlocking.
void Connection::unlock() {
    do {
        if (outbox_.ready()) (void)flush();
        mutex_.unlock();
    } while (outbox_.ready() && mutex_.try_lock());
}

void Connection::close() {
    closed_.store(true);
    if (forked()) return;
    mutex_.close();
    if (!lease_.valid()) return;
    lease_.wake().fetch_add(1, std::memory_order_release);
    wake_all(lease_.wake());
}

// A client reconnects while a manager restarts: the previous manager's socket exists, but no
// process serves it.
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

// The user's own manager, else the host's; the choice is permanent.
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
        "join the group that may use the host's manager, or start your own with 'snakepit-shm "
        "serve'";
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
        return fail(ErrorCode::protocol_error, "the manager did not complete the handshake",
                    "use the same release of the client library and the manager");
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
            outbox_.reconnected();
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

// Increases each time, but not beyond the deadline.
Status Connection::pause(int& millis) {
    if (closed()) return fail(closed_error());
    std::this_thread::sleep_for(std::chrono::nanoseconds(
        std::clamp<std::int64_t>(deadline_.wait - monotonic_nanos(), 0, millis * 1'000'000LL)));
    millis = std::clamp(millis * 2, kFirstRetryMs, kLongestRetryMs);
    return {};
}

// Waits until the socket is writable or readable. Continues after a signal.
Status Connection::await(bool writable) {
    for (;;) {
        if (closed()) return fail(closed_error());
        SHM_ASSIGN(const auto ready,
                   channel_.wait(writable, std::min(left_ms(deadline_.answer), kAnswerSliceMs)));
        if (ready != Io::again) return {};
        if (monotonic_nanos() < deadline_.answer) continue;
        auto late = make_error(
            ErrorCode::no_manager, "the manager accepted the connection but did not answer in time",
            "check 'snakepit-shm status'; the manager may be stopped or overloaded");
        late.system_error = ETIMEDOUT;
        return fail(std::move(late));
    }
}

// One attempt. `lost`: the connection broke, and the manager may or may not have executed the
// request.
Result<Connection::Answer> Connection::exchange(const wire::RequestT& request, bool& lost) {
    const auto bytes = encoder_.encode(request);
    if (bytes.size() > kMaxFrame)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("the request has {} bytes; the maximum is {}", bytes.size(), kMaxFrame),
            "split it into smaller requests");
    trips_.fetch_add(1, std::memory_order_relaxed);
    const auto broken = [&] {
        lost = true;
        channel_.close();
        return fail(ErrorCode::no_manager, "the manager closed the connection",
                    "check with 'snakepit-shm status' that it is running");
    };
    for (;;) {
        SHM_ASSIGN(const auto sent, channel_.send(bytes));
        if (sent != Io::again) break;  // a manager that closed may have sent an answer before
        SHM_TRY(await(true));
    }
    for (;;) {
        // Waits without blocking forks in other threads; an answer is never available at once.
        SHM_TRY(await(false));
        auto no_fork = ForkGuard::instance().no_fork();
        auto received = channel_.receive(frame_);
        if (!received) {
            // A truncated frame, or no free descriptor for its handle: repeating the request would
            // fail in the same way.
            channel_.close();
            return fail(std::move(received).error());
        }
        if (*received == Io::closed) return broken();
        if (*received == Io::again) continue;
        SHM_ASSIGN(auto reply, decode_reply(frame_.bytes));
        if (reply.answer.AsEncryptedVersion()) wipe_received(frame_);  // there may be a key in it
        // Id 0: the manager ends the connection with a reason. Another id: an answer to an
        // abandoned request.
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
        SHM_TRY(send_posted_first());
        bool lost = false;
        auto answer = exchange(request, lost);
        if (answer || refused_) outbox_.executed();
        // At least once, even after the deadline: the connection may belong to an earlier manager.
        if (answer || !lost || (lost_before > 0 && monotonic_nanos() >= deadline_.wait))
            return answer;
        if (repeated) *repeated = true;
        // At once the first time; then with pauses, in case the manager closes every connection.
        SHM_TRY(pause(millis));
    }
}

void Connection::cancel_allocation(std::uint64_t request_id) {
    wire::AllocateCancelT call;
    call.allocation = request_id;
    wire::RequestT request;
    request.call.Set(std::move(call));
    outbox_.post(std::move(request));
    (void)flush();
}

void Connection::send_posted() {
    if (!forked()) (void)try_lock();
}

// `again`: the buffer is full, and something is left. A connection that broke is found broken by
// the request that follows.
Io Connection::flush() {
    auto last = Io::closed;
    const auto send = [&](const wire::RequestT& frame) {
        last = send_frame(frame);
        return last == Io::done;
    };
    return outbox_.flush(send) ? Io::done : last;
}

Status Connection::send_posted_first() {
    while (flush() == Io::again) SHM_TRY(await(true));
    return {};
}

// With its own id: some are answered, and the answer must not match another request.
Io Connection::send_frame(wire::RequestT request) {
    if (!channel_.valid() || !channel_.intact()) return Io::closed;
    request.id = next_id_++;
    const auto sent = channel_.send(encoder_.encode(request));
    return sent ? *sent : Io::closed;
}

bool Connection::tell(wire::RequestT request) {
    return send_frame(std::move(request)) == Io::done;
}

}  // namespace snakepit::shm
