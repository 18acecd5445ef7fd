// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "base/paths.h"
#include "client/client_mutex.h"
#include "client/fork_guard.h"
#include "client/manager_client.h"
#include "layout/lease_page.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "protocol/messages.h"

namespace snakepit::shm {

// How long a call may take, fixed when it begins; monotonic nanoseconds.
struct Deadline {
    std::int64_t wait = 0;    // for other threads' calls, and for a manager that is not there
    std::int64_t answer = 0;  // for the answer of one that is: never less than a round trip needs

    // Both so far from now, in milliseconds.
    static Deadline in(int millis);
    // No later than `end`, and no later than in(millis).
    static Deadline until(std::int64_t end, int millis);
};

// The socket to the manager and the lease page, kept across restarts of the manager. One thread at
// a time, the one that has locked it, except for what is said to be for any.
class Connection final : public ForkAware {
  public:
    using Lock = std::unique_lock<ClientMutex>;

    static Result<std::unique_ptr<Connection>> open(const ConnectOptions& options);
    ~Connection() override;

    // Any thread. What is called until it is unlocked has this deadline.
    // forked, client_closed; no_manager when another call waits for the manager all that time.
    Result<Lock> lock(const Deadline& deadline);
    Result<Lock> lock() { return lock(usual()); }
    // Any thread. Holds nothing when another thread has it.
    Lock try_lock() { return {mutex_, std::try_to_lock}; }
    // What a call without a timeout of its own has.
    Deadline usual() const { return Deadline::in(options_.timeout_ms); }
    int patience_ms() const { return options_.timeout_ms; }

    // Any thread. Calls end with client_closed, those that wait for something at once.
    void close();
    bool closed() const { return closed_.load(std::memory_order_relaxed); }
    // What is to be sent over each new connection before anything else.
    void when_reconnected(std::function<void()> send) { reconnected_ = std::move(send); }

    struct Answer {
        wire::ReplyT reply;
        Handle handle;
        std::unique_lock<std::mutex> no_fork;  // for as long as the handle is in hand
    };
    // Sends the request and waits for its answer; a manager that went away meanwhile is waited for
    // and asked again with the same id. An answer that is a Failure becomes the error.
    // `repeated` tells that an earlier try may have been carried out.
    Result<Answer> call(wire::RequestT request, bool* repeated = nullptr);
    // The number that the next request would have; a request that is given one keeps it, so that
    // it can be asked again.
    std::uint64_t next_request() { return next_id_++; }
    std::int64_t deadline() const { return deadline_.wait; }  // of the call that has locked it
    // The last call ended because the manager said no: nothing was done.
    bool refused() const { return refused_; }
    // What an Allocate with this id made is not wanted; said at once, or when there is a
    // connection.
    void cancel_allocation(std::uint64_t request_id);
    // Holds a descriptor that a forked child must not have; replaces the last.
    const Handle& keep(Handle handle) { return kept_ = std::move(handle); }
    // Sends without waiting for an answer, also when closed. False: there is no connection, or no
    // room in it.
    bool tell(wire::RequestT request);

    bool forked() const { return ForkGuard::instance().here() != home_; }
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
    void send_cancelled();

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
    std::optional<Error> lost_;  // the registry is another one: nothing of ours counts any more
    std::uint64_t home_ = 0;     // ForkGuard's number of the process that connected
    std::uint64_t next_id_ = 1;
    std::atomic<std::uint64_t> trips_{0};
    bool refused_ = false;
    Handle kept_;
    std::vector<std::uint64_t> cancelled_;  // allocations the manager still has to be told of
};

// What a forked child is told.
Error forked_error();
Error closed_error();
tl::unexpected<Error> unexpected_answer();

}  // namespace snakepit::shm
