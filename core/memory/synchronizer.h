// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "registry/lock_table.h"
#include "registry/reference_counter.h"

namespace snakepit::shm {

// The owner of a lock or wait: one thread of one client. The thread only distinguishes waits: any
// thread of the client that knows the token may release the lock.
struct LockOwner {
    std::uint64_t serial = 0;  // of the client
    std::uint32_t thread = 0;
    friend auto operator<=>(const LockOwner&, const LockOwner&) = default;
};

struct LockRequest {
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    LockOwner owner;
    AccessMode mode = AccessMode::read_only;  // read_write: exclusive
    std::uint32_t request = 0;  // the client's number for it, so that it can be repeated
    std::int64_t deadline = 0;  // monotonic nanoseconds; in the past: do not wait
    // The client whose lease page may have the lock, so that it is delegated; empty: it is not.
    std::optional<std::uint32_t> page = {};
    std::uint64_t process = 0;  // of the client; equal for all clients of one. 0: not known
    static constexpr std::int64_t kForever = INT64_MAX;
};

// `from` waits for the region in `slot`, which `to` holds or requested earlier.
struct LockWaitEdge {
    LockOwner from;
    std::uint32_t slot = 0;
    LockOwner to;
    bool held = true;
};

struct LockAnswer {
    LockState state = LockState::unknown;
    std::uint32_t slot = 0;
    std::uint64_t token = 0;          // granted
    std::uint64_t ticket = 0;         // queued
    std::vector<LockWaitEdge> cycle;  // deadlock: starts and ends with the requester
    // Granted: the client has it until it is recalled.
    std::optional<LockTable::Delegation> delegation = {};
};

// Synchronizer: reader-writer locks on regions.
//
// Fair: a later request never overtakes a waiting writer, except during a loan (see below). When a
// lock is released the head of the queue gets it; adjacent readers at the head get it together. An
// owner that already holds the lock is granted the same or a weaker mode at once, one level deeper,
// under the same token. A reader that requests to write goes to the front of the queue and waits
// only for the other readers.
//
// A waiter waits for every holder and every earlier waiter with an incompatible mode. Only a
// request that would close a cycle of such waits is refused. All new edges begin or end at the
// requester, so a search from there finds every possible cycle. A thread that uses two clients of
// its process is two owners, but waits as one: what it holds through one client is not released
// while it waits through the other.
//
// Granted locks are in the LockTable before they are answered; waits exist in memory only. Service
// thread only. It knows slots and clients by number, but no names or sockets.
//
// A lock that nobody else has or waits for is delegated to its client (layout/delegated_lock.h).
// Whatever concerns the lock of anybody else absorbs it first: it is then an ordinary lock again,
// or gone if the client did not hold it.
//
// Loans: a client that waited for a lock while others still wait is lent it for kLoan, as a
// delegation that their requests do not end. Handing a lock over costs a hundred times as much as
// taking it, so processes that compete for one pay for it once a loan. The order of the queue
// decides who is next; nobody is overtaken for longer than a loan. A client that has a lent lock
// waits for nothing: it is lent none while it has a ticket, and any request of it ends its loans
// first; the same holds for all clients of one process. So no cycle of waits goes through a lent
// lock, and the wait graph is of ordinary locks.
class Synchronizer {
  public:
    // `pages`: the lease pages of clients; null: nothing is delegated.
    explicit Synchronizer(LockTable table, ReferenceCounter* pages = nullptr);

    // ---- for clients
    Result<LockAnswer> ask(const LockRequest& request);
    // The state of a wait. Any answer except `queued` ends the ticket.
    LockAnswer poll(std::uint64_t serial, std::uint64_t ticket);
    // The same for a client that stops waiting: a queued request has timed out.
    LockAnswer cancel(std::uint64_t serial, std::uint64_t ticket);
    // Undoes a request whose answer was lost, if it is the last one of its owner on that slot.
    void cancel_request(std::uint32_t slot, const LockOwner& owner, std::uint32_t request);

    struct Held {
        std::uint32_t index = 0;  // in the table
        LockTable::Lock lock;
        layout::LockLevels levels;
        bool writes() const { return levels.write > 0; }
        LockOwner owner() const { return {lock.serial, lock.thread}; }
    };
    // The client's lock with this token.
    std::optional<Held> find(std::uint64_t serial, std::uint32_t slot, std::uint64_t token) const;
    // Releases its last level, write levels first. Repeating the same request changes nothing.
    void unlock(const Held& held, std::uint32_t request);

    // ---- delegated locks (synchronizer_delegation.cpp)
    // Ends the delegation of the slot's lock; without effect if it is not delegated.
    void absorb(std::uint32_t slot);
    // The same if it is delegated to this client.
    void absorb_of(std::uint64_t serial, std::uint32_t slot);
    // The same for all locks of a client, and for all locks.
    void absorb_client(std::uint64_t serial);
    void absorb_all();
    // Whether the lock was taken since the last call without asking.
    bool observe(std::uint32_t slot);
    static constexpr std::int64_t kLoan = 1'000'000;  // nanoseconds
    // Delegates a lock that was just granted to a wait, also if others wait; then until `end`,
    // monotonic nanoseconds. Empty: it stays an ordinary lock.
    std::optional<LockTable::Delegation> lend(std::uint64_t serial, std::uint32_t slot,
                                              std::uint64_t token, std::uint32_t page,
                                              std::int64_t end);
    // Ends the loans that end at `now`, and grants to who is next. True: others go on.
    bool end_loans(std::int64_t now);
    bool has_loans() const { return !lent_.empty(); }

    // ---- for the manager
    // All locks of a client, so that the effects of its end can be recorded before drop(). After
    // absorb_client().
    std::vector<Held> held_by(std::uint64_t serial) const;
    void drop(std::uint64_t serial);
    // Releases all levels of one lock, without its holder.
    void release(const Held& held);
    // Ends all waits for a region that is being withdrawn.
    void dismiss(std::uint32_t slot);
    // Ends waits whose deadline has passed.
    void expire(std::int64_t now);
    // Serials of clients that hold locks; after a restart some may have exited.
    std::vector<std::uint64_t> serials() const;
    // Of a client that holds locks since before a restart; otherwise its requests say so.
    void set_process(std::uint64_t serial, std::uint64_t process);

    // Waits decided since the last call by something other than a request of their own client.
    struct Settled {
        LockOwner owner;
        std::uint32_t slot = 0;
        LockState state{};
        std::uint64_t waited = 0;   // nanoseconds
        std::uint32_t request = 0;  // the client's number for it
    };
    std::vector<Settled> take_settled() { return std::exchange(settled_, {}); }

    // ---- looking
    struct Waiter {
        LockOwner owner;
        AccessMode mode{};
        std::int64_t since = 0;  // microseconds since 1970 UTC
    };
    bool locked(std::uint32_t slot) const;  // or waited for
    std::vector<Held> holders(std::uint32_t slot) const;
    std::vector<Waiter> waiters(std::uint32_t slot) const;  // in the order of the queue
    std::size_t held_count() const;
    std::size_t waiting_count() const { return deadlines_.size(); }
    // At most `most` waiters, the longest wait first.
    struct Oldest {
        std::uint32_t slot = 0;
        std::int64_t asked = 0;  // monotonic nanoseconds
    };
    std::vector<Oldest> longest_waits(std::size_t most) const;
    // At most `most` owners that the waiter waits for.
    std::vector<LockWaitEdge> waits_for(const LockOwner& owner, std::size_t most) const;
    // Slots from `slot` on with holders or waiters, in order.
    std::vector<std::uint32_t> slots(std::uint32_t slot) const;

  private:
    struct Wait {
        LockRequest what;
        std::uint64_t ticket = 0;
        std::int64_t order = 0;    // position in the queue: lower is earlier
        std::uint32_t record = 0;  // in the table, reserved for the grant
        std::int64_t since = 0;
        std::int64_t asked = 0;  // monotonic nanoseconds
        std::uint64_t token = 0;
        LockState state = LockState::queued;
    };
    struct Queue {                           // of one region
        std::vector<std::uint32_t> holders;  // indices in the table
        std::map<std::int64_t, Wait*> waiting;
    };
    struct Client {
        std::set<std::pair<std::uint32_t, std::uint32_t>> holds;  // slot, thread
        std::set<std::uint64_t> tickets;
        std::set<std::uint32_t> delegated;  // slots
        std::uint32_t hand = 0;             // the slot that was absorbed last to make room
        std::set<std::uint32_t> lent;       // slots; loans may have ended
        std::uint64_t process = 0;          // 0: not known
    };
    struct Delegated {
        std::uint32_t index = 0;  // in the table
        std::uint32_t seen = 0;   // the sequence in the page, as far as it was observed
    };
    struct OwnerHash {
        std::size_t operator()(const LockOwner& o) const {
            return o.serial * 0x9E3779B97F4A7C15ULL ^ o.thread;
        }
    };
    using HoldKey = std::pair<LockOwner, std::uint32_t>;  // and slot
    struct HoldHash {
        std::size_t operator()(const HoldKey& k) const {
            return OwnerHash{}(k.first) * 31 + k.second;
        }
    };

    Held held(std::uint32_t index) const {
        return {index, table_.lock(index), table_.levels(index)};
    }
    std::optional<Held> held(const Delegated& one,
                             const std::optional<layout::LockWord>& word) const;
    std::optional<layout::LockWord> look(const Delegated& one) const;
    ReferenceCounter::LockPlace place(std::uint32_t index) const;
    std::optional<LockTable::Delegation> delegate(const LockRequest& request, std::int64_t end);
    bool lent(std::uint32_t slot) const;
    void end_loans_of(std::uint64_t serial);
    bool make_room(std::uint64_t serial);
    Result<LockAnswer> decide(const LockRequest& request);
    std::optional<Held> find(const LockOwner& owner, std::uint32_t slot) const;
    bool writer_in(const Queue& queue) const;
    bool compatible(const Queue& queue, const LockRequest& request) const;
    std::optional<LockAnswer> deepen(const LockRequest& request);
    std::optional<LockAnswer> again(const LockRequest& request);
    Result<LockAnswer> enqueue(const LockRequest& request, bool upgrade);
    std::uint64_t grant(const LockRequest& request, std::uint32_t record);
    void remember(std::uint32_t index);
    void forget(const Held& held);
    void unlink(const Held& held);
    void settle(Wait& wait, LockState state);
    void leave_queue(Wait& wait);
    void erase(std::uint64_t ticket);
    void withdraw(std::uint64_t ticket);
    void drop_level(const Held& held, std::uint32_t request);
    void leave_process(std::uint64_t serial);
    Wait* known(std::uint64_t serial, std::uint64_t ticket);
    LockAnswer outcome(const Wait& wait) const;
    void advance(std::uint32_t slot);

    // synchronizer_graph.cpp
    struct Search;
    const Wait* queued(const LockOwner& owner) const;
    std::vector<LockWaitEdge> find_cycle(const Wait& start) const;
    void expand(Search& search, const Wait& wait) const;
    std::optional<LockWaitEdge> edge_to(const Search& search, const Wait& wait,
                                        const Wait& start) const;
    // All known clients of the client's process.
    std::vector<std::uint64_t> same_process(std::uint64_t serial) const;
    // The thread as an owner of each of them.
    std::vector<LockOwner> same_thread(const LockOwner& owner) const;

    LockTable table_;
    ReferenceCounter* pages_;
    // By slot. Its queue has no holders; it has waiters only if the lock is lent.
    std::unordered_map<std::uint32_t, Delegated> delegated_;
    std::map<std::uint32_t, std::int64_t> lent_;  // by slot: when the loan ends
    std::map<std::uint32_t, Queue> queues_;       // by slot; those with a holder or a waiter
    std::unordered_map<HoldKey, std::uint32_t, HoldHash> holds_;
    std::unordered_map<std::uint64_t, Wait>
        waits_;  // by ticket; decided ones until they are reported
    std::unordered_map<LockOwner, std::uint64_t, OwnerHash> ticket_of_;     // at most one each
    std::unordered_map<std::uint64_t, Client> clients_;                     // by serial
    std::unordered_map<std::uint64_t, std::set<std::uint64_t>> processes_;  // serials of each
    std::set<std::pair<std::int64_t, std::uint64_t>> deadlines_;            // and ticket
    std::set<std::pair<std::int64_t, std::uint64_t>> by_age_;               // asked, and ticket
    std::vector<Settled> settled_;
};

}  // namespace snakepit::shm
