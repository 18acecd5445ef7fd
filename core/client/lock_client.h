// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/connection.h"
#include "client/manager_client.h"

namespace snakepit::shm {

// The client's half of the locks. The manager answers every request at once; who has to wait sleeps
// here, on the word in the lease page that the manager counts up, and holds no mutex meanwhile.
//
// A lock has a number of its own, chosen here, besides the frame's: a manager that was restarted
// knows by it what it had granted already, and grants it once.
// Thread-safe: locks the connection for each single request.
class LockClient {
  public:
    explicit LockClient(Connection& connection) : connection_(connection) {
        connection_.when_reconnected([this] { send_cancelled(); });
    }

    Result<LockGrant> lock(const RegionId& id, AccessMode mode, std::uint32_t timeout_ms);
    Status unlock(const RegionId& id, std::uint64_t token);
    Result<std::vector<RegionLocks>> list(const std::string& filter);
    Result<RegionLocks> release(const RegionId& id, std::uint64_t token);

    // A lock that is waited for in slices; see ManagerClient.
    Result<std::uint64_t> begin(const RegionId& id, AccessMode mode, std::uint32_t owner);
    Result<std::optional<LockGrant>> wait(std::uint64_t ticket, std::uint32_t timeout_ms);
    Status cancel(std::uint64_t ticket);

    // With the connection locked, whenever there may be one again.
    void send_cancelled();

  private:
    struct Attempt {
        RegionId id;
        AccessMode mode = AccessMode::read_only;
        std::uint32_t thread = 0;
        std::uint32_t request = 0;
        std::int64_t deadline = INT64_MAX;  // monotonic nanoseconds, as all times here
        std::uint64_t ticket = 0;           // 0: not in a queue, as far as we know
        bool repeated = false;              // it was asked more than once
        std::uint32_t seen = 0;             // the lease page's word before it was last asked
        std::int64_t ask_again = 0;         // when it is asked again though the word is the same
        std::int64_t answered_at = 0;
        std::optional<LockGrant> granted = {};
    };
    // What no manager has heard yet. A lock that is given back has its token, one that is given up
    // has 0.
    struct CancelledRequest {
        std::uint64_t token = 0;
        std::uint32_t request = 0;
        wire::RequestT frame;
    };
    std::uint32_t next_request();
    Result<Attempt> attempt(const RegionId& id, AccessMode mode);
    // Asks, or asks what became of it, or stops waiting at its deadline. Nothing: it is queued.
    Result<std::optional<LockGrant>> advance(Attempt& attempt, const Deadline& deadline);
    Result<wire::LockedT> step(Attempt& attempt, const Deadline& deadline);
    // Until something was decided, the manager is to be asked again, or `until`. `once`: or a
    // signal was handled.
    void rest(const Attempt& attempt, std::int64_t until, bool once) const;
    template <typename Call>
    Result<wire::ReplyT> ask(Call call, const Deadline& deadline, bool* repeated = nullptr);
    // Also when a clear refusal answers a second asking: the first may have been granted by a
    // manager that was killed, and the region been deallocated or sealed since.
    void cancel_unless_refused(const Attempt& attempt, ErrorCode code);
    void cancel_request(const Attempt& attempt);
    bool tell_later(CancelledRequest one);
    std::uint32_t begin_unlock(std::uint64_t token, bool& repeated);
    Result<Attempt> take_attempt(std::uint64_t ticket);
    void note_granted(std::uint64_t token);

    Connection& connection_;
    std::atomic<std::uint32_t> requests_{0};
    std::mutex mutex_;  // of what follows; nobody asks the manager with it
    std::vector<CancelledRequest> cancelled_;
    std::unordered_map<std::uint64_t, std::uint32_t> levels_;  // of each token, not given back yet
    std::unordered_map<std::uint64_t, Attempt> begun_;  // by our ticket; not while waited for
};

}  // namespace snakepit::shm
