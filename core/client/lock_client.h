// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "client/connection.h"
#include "client/manager_client.h"

namespace snakepit::shm {

// The client's half of the locks. The manager answers every request at once; who has to wait sleeps
// here, on the word in the lease page that the manager counts up, and holds no mutex meanwhile.
//
// A lock has a number of its own, chosen here, besides the frame's: a manager that was restarted
// knows by it what it had granted already, and grants it once.
// Thread-safe: takes the client's mutex for each single request.
class LockClient {
  public:
    LockClient(Connection& connection, std::mutex& mutex)
        : connection_(connection), mutex_(mutex) {}

    Result<LockGrant> lock(const RegionId& id, AccessMode mode, std::uint32_t timeout_ms);
    Status unlock(const RegionId& id, std::uint64_t token);
    Result<std::vector<RegionLocks>> list(const std::string& filter);
    Result<RegionLocks> release(const RegionId& id, std::uint64_t token);

    // With the mutex, whenever there may be a connection again.
    void tell_forsaken();

  private:
    struct Attempt {
        RegionId id;
        AccessMode mode;
        std::uint32_t thread;
        std::uint32_t request;
        std::int64_t deadline;     // monotonic nanoseconds
        std::uint64_t ticket = 0;  // 0: not in a queue, as far as we know
        bool repeated = false;     // it was asked more than once
    };
    std::uint32_t next_request();
    // One step: asks, or asks what became of it, or stops waiting.
    Result<wire::LockedT> step(Attempt& attempt);
    template <typename Call>
    Result<wire::ReplyT> ask(Call call, bool* repeated = nullptr);
    void forsake(const Attempt& attempt);

    Connection& connection_;
    std::mutex& mutex_;
    std::atomic<std::uint32_t> requests_{0};
    std::mutex forsaken_mutex_;
    std::vector<wire::RequestT> forsaken_;  // LockForsake that could not be sent yet
};

}  // namespace snakepit::shm
