// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/paths.h"
#include "client/client_mutex.h"
#include "client/fork_guard.h"
#include "client/manager_client.h"
#include "client/outbox.h"
#include "layout/lease_page.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "protocol/messages.h"

namespace snakepit::shm {

// The deadlines of a call, fixed when it begins; monotonic nanoseconds.
struct Deadline {
    std::int64_t wait = 0;  // for other threads' calls, and for a manager to start
    std::int64_t answer =
        0;  // for the answer of a running manager: at least the time of a round trip

    // Both this many milliseconds from now.
    static Deadline in(int millis);
    // No later than `end`, and no later than in(millis).
    static Deadline until(std::int64_t end, int millis);
};

// The socket to the manager and the lease page, kept across restarts of the manager. Only the
// thread that has locked it may use it, except where noted.
class Connection final : public ForkAware {
  public:
    // Of the connection. Whoever releases it sends what other threads posted meanwhile.
    class Lock {
      public:
        Lock() = default;
        explicit Lock(Connection& locked) : connection_(&locked) {}
        Lock(Lock&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
        Lock& operator=(Lock&& other) noexcept {
            if (this != &other) {
                unlock();
                connection_ = std::exchange(other.connection_, nullptr);
            }
            return *this;
        }
        ~Lock() { unlock(); }
        explicit operator bool() const { return connection_ != nullptr; }
        void unlock() {
            if (auto* const locked = std::exchange(connection_, nullptr)) locked->unlock();
        }
        // Without releasing it.
        void release() { connection_ = nullptr; }

      private:
        Connection* connection_ = nullptr;
    };

    static Result<std::unique_ptr<Connection>> open(const ConnectOptions& options);
    ~Connection() override;

    // Any thread. Calls until it is unlocked have this deadline. Errors: forked, client_closed;
    // no_manager if another call waits for the manager all that time.
    Result<Lock> lock(const Deadline& deadline);
    Result<Lock> lock() { return lock(usual()); }
    // Any thread. The lock is empty if another thread holds it.
    Lock try_lock() { return mutex_.try_lock() ? Lock(*this) : Lock(); }
    // The deadline of a call without its own timeout.
    Deadline usual() const { return Deadline::in(options_.timeout_ms); }
    int patience_ms() const { return options_.timeout_ms; }

    // Any thread. Calls end with client_closed; waiting calls end at once.
    void close();
    bool closed() const { return closed_.load(std::memory_order_relaxed); }
    // Called after each reconnection. What it posts is sent before any request.
    void when_reconnected(std::function<void()> post) { reconnected_ = std::move(post); }

    struct Answer {
        wire::ReplyT reply;
        Handle handle;
        std::unique_lock<std::mutex> no_fork;  // while the handle is in use
    };
    // Sends the request and waits for its answer. If the manager exits meanwhile, waits for its
    // successor and repeats the request with the same id. A Failure becomes the error. `repeated`:
    // an earlier attempt may have been executed.
    Result<Answer> call(wire::RequestT request, bool* repeated = nullptr);
    // The id of the next request; a request with an id keeps it, so that it can be repeated.
    std::uint64_t next_request() { return next_id_++; }
    std::int64_t deadline() const { return deadline_.wait; }  // of the call that has locked it
    void set_deadline(const Deadline& deadline) { deadline_ = deadline; }
    // The last call was refused by the manager: nothing was done.
    bool refused() const { return refused_; }
    // Cancels the Allocate with this id.
    void cancel_allocation(std::uint64_t request_id);
    // Any thread.
    Outbox& outbox() { return outbox_; }
    // Any thread: sends what was posted, unless another thread has the connection and will.
    void send_posted();
    // Keeps a descriptor that a forked child must not inherit; replaces the previous one.
    const Handle& keep(Handle handle) { return kept_ = std::move(handle); }
    // Sends without waiting for an answer, also when closed. False: there is no connection, or its
    // buffer is full.
    bool tell(wire::RequestT request);

    bool forked() const { return ForkGuard::instance().here() != home_; }
    // In a forked child that holds references of its own to what it inherited. It can only release
    // them: every other call fails with `forked`.
    bool inherited() const { return heir_ != 0 && ForkGuard::instance().here() == heir_; }
    // In a forked child, before any other call there, with the mutex: a session of its own, with
    // an empty lease page. Takes at most `patience_ms`.
    Status inherit(int patience_ms);
    // In a forked child: releases what it inherited.
    void end_inheritance();
    const layout::LeasePage& lease() const { return lease_; }
    const InstancePaths& paths() const { return paths_; }
    std::uint64_t round_trips() const { return trips_.load(std::memory_order_relaxed); }

    void after_fork_in_child() override;

  private:
    Connection() = default;
    Status ensure();
    Status greet();
    Status greet_first();
    Status greet_restarted();
    Status await(bool writable);
    Status pause(int& millis);
    Result<Answer> exchange(const wire::RequestT& request, bool& lost);
    void unlock();
    Io flush();
    Status send_posted_first();
    Io send_frame(wire::RequestT request);

    ConnectOptions options_;
    ClientMutex mutex_;
    Deadline deadline_;  // of the call that has locked it
    std::atomic<bool> closed_{false};
    std::function<void()> reconnected_ = [] {};
    InstancePaths paths_;
    Channel channel_;
    Frame frame_;
    Encoder encoder_;
    std::vector<std::uint8_t> token_;
    Mapping lease_mapping_;
    layout::LeasePage lease_;
    std::optional<Error> lost_;  // the registry was replaced: our regions are not valid any more
    std::uint64_t home_ = 0;     // ForkGuard's number of the process that connected
    std::uint64_t heir_ = 0;     // and of the child that this copy of it belongs to
    std::uint64_t next_id_ = 1;
    std::atomic<std::uint64_t> trips_{0};
    bool refused_ = false;
    Handle kept_;
    Outbox outbox_;
};

// The error in a forked child.
Error forked_error();
Error closed_error();
tl::unexpected<Error> unexpected_answer();

}  // namespace snakepit::shm
