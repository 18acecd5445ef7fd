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

namespace snakepit::shm {

// Who holds or waits: one thread of one client. The thread only tells waits apart: a lock may be
// given back by any thread of the client that knows its token.
struct LockOwner {
    std::uint64_t serial = 0;  // of the client
    std::uint32_t thread = 0;
    friend auto operator<=>(const LockOwner&, const LockOwner&) = default;
};

struct LockRequest {
    std::uint32_t slot = 0;
    std::uint64_t generation = 0;
    LockOwner owner;
    AccessMode mode = AccessMode::read_only;  // read_write: alone
    std::uint32_t request = 0;  // the client's own number for it, so that it can ask again
    std::int64_t deadline = 0;  // monotonic nanoseconds; in the past: try, do not wait
    static constexpr std::int64_t kForever = INT64_MAX;
};

// `from` waits for the region in `slot`, which `to` holds, or else asked for before.
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
    std::vector<LockWaitEdge> cycle;  // deadlock: starts and ends with who asked
};

// The specification's Synchronizer: reader-writer locks on regions.
//
// Fair: who comes later never overtakes a waiting writer; when a lock is given back the head of the
// queue gets it, readers at the head together. An owner that holds it is granted the same or a
// weaker mode at once, one level deeper, under the same token; one that reads and asks to write
// goes ahead of the queue and waits for the other readers only.
//
// A waiter waits for every holder and every earlier waiter that its mode does not go with. A
// request that would close a circle of such waits is refused at once; nothing else is. New edges
// all begin or end at the one who asks, so a search from there finds every circle there can be.
//
// Granted locks are in the LockTable before any answer says so; waits are in memory alone.
// Service thread only; knows of slots and clients, but of no names, pages or sockets.
class Synchronizer {
  public:
    explicit Synchronizer(LockTable table);

    // ---- for clients
    Result<LockAnswer> ask(const LockRequest& request);
    // What became of a wait. Any answer but `queued` ends the ticket.
    LockAnswer poll(std::uint64_t serial, std::uint64_t ticket);
    // The same for one who waits no longer: what is still queued has timed out.
    LockAnswer cancel(std::uint64_t serial, std::uint64_t ticket);
    // Undoes a request whose answer never came, if it is the last thing its owner did there.
    void cancel_request(std::uint32_t slot, const LockOwner& owner, std::uint32_t request);

    struct Held {
        std::uint32_t index = 0;  // in the table
        LockTable::Lock lock;
        layout::LockLevels levels;
        bool writes() const { return levels.write > 0; }
        LockOwner owner() const { return {lock.serial, lock.thread}; }
    };
    // The lock that this client knows by this token.
    std::optional<Held> find(std::uint64_t serial, std::uint32_t slot, std::uint64_t token) const;
    // Undoes its last level, those of writing first. The same request again changes nothing.
    void unlock(const Held& held, std::uint32_t request);

    // ---- for the manager
    // Everything a client holds, so that what its end means can be recorded before drop().
    std::vector<Held> held_by(std::uint64_t serial) const;
    void drop(std::uint64_t serial);
    // All levels of one lock, without its holder being asked.
    void release(const Held& held);
    // Those who wait for the region wait for nothing: it is being withdrawn.
    void dismiss(std::uint32_t slot);
    // Ends waits whose deadline has passed.
    void expire(std::int64_t now);
    // Serials of clients that hold locks: after a restart some may be gone.
    std::vector<std::uint64_t> serials() const;

    // Waits that were decided by something else than their own client's question, since last asked.
    struct Settled {
        LockOwner owner;
        std::uint32_t slot = 0;
        LockState state{};
        std::uint64_t waited = 0;  // nanoseconds
    };
    std::vector<Settled> take_settled() { return std::exchange(settled_, {}); }

    // ---- looking
    struct Waiter {
        LockOwner owner;
        AccessMode mode{};
        std::int64_t since = 0;  // microseconds since 1970 UTC
    };
    bool locked(std::uint32_t slot) const;
    std::vector<Held> holders(std::uint32_t slot) const;
    std::vector<Waiter> waiters(std::uint32_t slot) const;  // in the order of the queue
    std::size_t held_count() const { return holds_.size(); }
    std::size_t waiting_count() const { return deadlines_.size(); }
    // Those who wait for longest, at most `most`, the longest first.
    struct Oldest {
        std::uint32_t slot = 0;
        std::int64_t asked = 0;  // monotonic nanoseconds
    };
    std::vector<Oldest> longest_waits(std::size_t most) const;
    // What the waiter waits for, at most `most` of it.
    std::vector<LockWaitEdge> waits_for(const LockOwner& owner, std::size_t most) const;
    // Slots from `slot` on with holders or waiters, in order.
    std::vector<std::uint32_t> slots(std::uint32_t slot) const;

  private:
    struct Wait {
        LockRequest what;
        std::uint64_t ticket = 0;
        std::int64_t order = 0;    // place in the queue: less is earlier
        std::uint32_t record = 0;  // in the table, kept for the grant
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
    std::optional<Held> find(const LockOwner& owner, std::uint32_t slot) const;
    bool writer_in(const Queue& queue) const;
    bool compatible(const Queue& queue, const LockRequest& request) const;
    std::optional<LockAnswer> deepen(const LockRequest& request);
    std::optional<LockAnswer> again(const LockRequest& request);
    Result<LockAnswer> enqueue(const LockRequest& request, bool upgrade);
    std::uint64_t grant(const LockRequest& request, std::uint32_t record);
    void remember(std::uint32_t index);
    void forget(const Held& held);
    void settle(Wait& wait, LockState state);
    void leave_queue(Wait& wait);
    void erase(std::uint64_t ticket);
    Wait* known(std::uint64_t serial, std::uint64_t ticket);
    LockAnswer outcome(const Wait& wait) const;
    void advance(std::uint32_t slot);

    // synchronizer_graph.cpp
    struct Search;
    const Wait* queued(const LockOwner& owner) const;
    std::vector<LockWaitEdge> find_cycle(const Wait& start) const;
    void expand(Search& search, const Wait& wait) const;
    std::optional<LockWaitEdge> edge_to(const Wait& wait, const Wait& start) const;

    LockTable table_;
    std::map<std::uint32_t, Queue> queues_;  // by slot; those with a holder or a waiter
    std::unordered_map<HoldKey, std::uint32_t, HoldHash> holds_;
    std::unordered_map<std::uint64_t, Wait> waits_;  // by ticket; decided ones until they are told
    std::unordered_map<LockOwner, std::uint64_t, OwnerHash> ticket_of_;  // at most one each
    std::unordered_map<std::uint64_t, Client> clients_;                  // by serial
    std::set<std::pair<std::int64_t, std::uint64_t>> deadlines_;         // and ticket
    std::set<std::pair<std::int64_t, std::uint64_t>> by_age_;            // asked, and ticket
    std::vector<Settled> settled_;
};

}  // namespace snakepit::shm
