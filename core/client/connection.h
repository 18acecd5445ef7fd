// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/paths.h"
#include "client/fork_guard.h"
#include "client/manager_client.h"
#include "layout/lease_page.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "protocol/messages.h"

namespace snakepit::shm {

// The socket to the manager and the lease page, kept across restarts of the manager. One thread at
// a time (ManagerClient's mutex).
class Connection final : public ForkAware {
  public:
    static Result<std::unique_ptr<Connection>> open(const ConnectOptions& options);
    ~Connection() override;

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
    std::int64_t deadline() const;  // of a call that begins now (monotonic_nanos)
    // The last call ended because the manager said no: nothing was done.
    bool refused() const { return refused_; }
    // What an Allocate with this id made is not wanted; said at once, or when there is a
    // connection.
    void forsake(std::uint64_t request_id);
    // Holds a descriptor that a forked child must not have; replaces the last.
    const Handle& keep(Handle handle) { return kept_ = std::move(handle); }
    // Sends without waiting for an answer. False: there is no connection, or no room in it.
    bool tell(const wire::RequestT& request);

    bool forked() const { return ForkGuard::instance().here() != home_; }
    const layout::LeasePage& lease() const { return lease_; }
    const InstancePaths& paths() const { return paths_; }
    std::uint64_t round_trips() const { return trips_.load(std::memory_order_relaxed); }

    void after_fork_in_child() override;

  private:
    Connection() = default;
    Status ensure(std::int64_t deadline);
    Status greet();
    Status greet_first();
    Result<Answer> exchange(const wire::RequestT& request, std::int64_t deadline, bool& lost);
    void tell_forsaken();

    ConnectOptions options_;
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
    std::vector<std::uint64_t> forsaken_;  // allocations the manager still has to be told of
};

// What a forked child is told.
Error forked_error();
tl::unexpected<Error> unexpected_answer();

}  // namespace snakepit::shm
