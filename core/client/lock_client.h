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
#include "client/delegations.h"
#include "client/manager_client.h"
#include "client/success.h"

namespace snakepit::shm {

// The client's half of the locks. The manager answers every request at once. Waiting threads sleep
// here, on the word in the lease page that the manager increments, without holding a mutex.
//
// A lock request has its own number, chosen here, in addition to the frame's id. By this number the
// manager recognises a request that is repeated, as long as it is the last one of its owner for the
// region. So a request whose answer is missing, and which may have been granted, is never followed
// by another one for the same region: it is cancelled first, and made again under a new number if
// somebody still waits for it. The same is done with all of them when the manager was restarted,
// and a release that was not answered is made again before anything else is asked of the region.
// Thread-safe: locks the connection for each single request.
//
// A lock that the manager has delegated to this client is taken and released in the lease page,
// without a request, until the manager recalls it (lock_client_local.cpp).
class LockClient {
  public:
    explicit LockClient(Connection& connection) : connection_(connection) {}

    // `owner` 0: the calling thread; else a number of at least kFirstOwner.
    Result<LockGrant> lock(const RegionId& id, AccessMode mode, std::uint32_t timeout_ms,
                           std::uint32_t owner = 0) {
        LockGrant granted;
        if (lock_here(id, mode, owner, granted.token)) return granted;
        return lock_asking(id, mode, timeout_ms, owner);
    }
    Status unlock(const RegionId& id, std::uint64_t token) {
        if (unlock_here(id, token)) return kSuccess;
        return unlock_asking(id, token);
    }
    // All levels of a lock, as the end of this program would: a region locked for writing is then
    // inconsistent.
    Status abandon(const RegionId& id, std::uint64_t token);
    // The region that this client has locked with this token.
    std::optional<RegionId> locked_with(std::uint64_t token);
    Result<std::vector<RegionLocks>> list(const std::string& filter);
    Result<RegionLocks> release(const RegionId& id, std::uint64_t token);

    // Locks that are waited for in slices; see ManagerClient.
    Result<std::uint64_t> begin(const RegionId& id, AccessMode mode, std::uint32_t owner);
    Result<std::optional<LockGrant>> wait(std::uint64_t ticket, std::uint32_t timeout_ms);
    Status cancel(std::uint64_t ticket);
    // Asks now for a lock that no thread waits for; empty: the ticket is unknown. `silent`: no
    // manager responded, and the ticket stays. `last`: then it ends with that error.
    struct Polled {
        RegionId id;
        Result<std::optional<LockGrant>> outcome;
        bool silent = false;
    };
    std::optional<Polled> poll(std::uint64_t ticket, bool last);
    // Of all begun locks.
    std::vector<std::uint64_t> tickets();
    // Of the begun lock that the manager knows by this number.
    std::optional<std::uint64_t> ticket_of(std::uint32_t request);

    // Call with the connection locked, after it was restored.
    void reconnected();

  private:
    struct Attempt {
        RegionId id;
        AccessMode mode = AccessMode::read_only;
        std::uint32_t owner = 0;
        std::uint32_t number = 0;           // what the program knows it by
        std::uint32_t request = 0;          // what the manager knows it by; 0: it does not
        std::int64_t deadline = INT64_MAX;  // monotonic nanoseconds, as all times here
        std::uint64_t ticket = 0;           // 0: not queued, as far as the client knows
        std::uint32_t seen = 0;             // the lease page's word before the last request
        std::int64_t ask_again = 0;         // when to ask again although the word is unchanged
        std::int64_t answered_at = 0;
        std::optional<LockGrant> granted = {};
    };
    // A request that the manager has, or may have.
    struct Outstanding {
        RegionId id;
        std::uint32_t owner = 0;
        std::uint32_t number = 0;
        bool unanswered = false;
    };
    static Error about(Error error, const RegionId& id);
    static std::uint32_t next_number(std::atomic<std::uint32_t>& counter);
    Result<LockGrant> lock_asking(const RegionId& id, AccessMode mode, std::uint32_t timeout_ms,
                                  std::uint32_t owner);
    Status unlock_asking(const RegionId& id, std::uint64_t token);
    Result<Attempt> attempt(const RegionId& id, AccessMode mode, std::uint32_t owner);
    // Sends the request, or asks for its state, or gives up at its deadline. Empty: it is queued.
    Result<std::optional<LockGrant>> advance(Attempt& attempt, const Deadline& deadline);
    Result<wire::LockedT> step(Attempt& attempt, const Deadline& deadline);
    // With the connection: no earlier request about the region is uncertain any more, except this
    // one.
    Status settle(const RegionId& id, std::uint32_t except = 0);
    void enlist(Attempt& attempt);
    void note_answer(const Attempt& attempt, const wire::LockedT* locked, bool decided);
    wire::RequestT request_of(const Attempt& attempt) const;
    // Sleeps until a decision, until it is time to ask again, or until `until`. `once`: also
    // returns when a signal was handled.
    void rest(const Attempt& attempt, std::int64_t until, bool once) const;
    template <typename Call>
    Result<wire::ReplyT> ask(Call call);
    // Cancels it unless its fate is known. For an attempt that ends.
    void give_up(const Attempt& attempt);
    // With the mutex: cancels those of the region that were not answered.
    void cancel_unanswered(const RegionId& id, std::uint32_t except);
    void cancel_request(std::uint32_t request, const Outstanding& one);
    bool count_down(std::uint64_t token);
    Status send_release(const wire::RequestT& request);
    // `again`: the release was sent before, and not answered.
    Status release_asking(const RegionId& id, wire::UnlockT call, Result<Connection::Lock> held,
                          bool again);
    // Of the region, not answered yet.
    std::optional<Outbox::Message> unanswered_release(const RegionId& id);
    Result<Attempt> take_attempt(std::uint64_t ticket);
    void note_granted(const RegionId& id, const wire::LockedT& granted);
    // lock_client_local.cpp: without the manager, if it has delegated the lock. False: nothing was
    // changed, and the manager must be asked.
    bool lock_here(const RegionId& id, AccessMode mode, std::uint32_t owner, std::uint64_t& token);
    bool unlock_here(const RegionId& id, std::uint64_t token);
    std::optional<RegionId> locked_here_with(std::uint64_t token) const;
    std::uint32_t this_thread() const;
    void add_levels(const RegionId& id, std::uint64_t token, std::uint32_t levels);
    void take_over(const RegionId& id, const Delegations::Known& known);
    void remember(const RegionId& id, const Delegations::Known& known);

    Connection& connection_;
    std::atomic<std::uint32_t> requests_{0}, numbers_{0};
    std::mutex mutex_;  // guards the following; never held during a request to the manager
    std::unordered_map<std::uint32_t, Outstanding> outstanding_;  // by number of the request
    Delegations delegations_;                                     // find() needs no mutex
    struct Held {
        RegionId id;
        std::uint32_t levels = 0;  // not released yet
    };
    // By token. Levels of a delegated lock are in the lease page.
    std::unordered_map<std::uint64_t, Held> held_;
    std::unordered_map<std::uint64_t, Attempt> begun_;  // by ticket; taken out while a thread waits
};

}  // namespace snakepit::shm
