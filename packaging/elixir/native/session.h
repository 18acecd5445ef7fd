// SPDX-License-Identifier: MIT
// A client of the C interface and what it holds for Elixir processes. Everything here may be
// destroyed on any thread: what has to be released is left to the Reaper.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <erl_nif.h>

#include "snakepit/shm/snakepit_shm.h"

namespace snakepit::elixir {

class Session;
struct Watch;

// One reference to a region, mapped. Unmapped when its last holder drops it: the region's handle,
// each binary that shows its bytes, and calls that run.
struct Lease {
    Lease(std::shared_ptr<Session> of, std::string region, const snakepit_shm_mapping& mapped,
          bool may_write);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // Unmaps now; only for the last holder.
    snakepit_shm_status release();

    std::shared_ptr<Session> session;
    const std::string id;
    snakepit_shm_mapping mapping;
    const bool writable;
    const bool encrypted;  // the memory is a private copy, and unmapping it may block
    std::atomic<int> views{0};
    std::atomic<bool> sealed{false};  // known to be immutable

  private:
    bool released_ = false;
};

// One level of a lock. Released when its last holder drops it: the lock's handle, and the binaries
// that were made under it.
struct Hold {
    Hold(std::shared_ptr<Session> of, std::string region, std::uint64_t given)
        : session(std::move(of)), id(std::move(region)), token(given) {}
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    // Unlocks now; only for the last holder.
    snakepit_shm_status release();

    std::shared_ptr<Session> session;
    const std::string id;
    const std::uint64_t token;
    // Its process died and may have left the region half written.
    std::atomic<bool> abandoned{false};

  private:
    bool released_ = false;
};

enum class WatchKind { lock, signal, allocation };

// Something that an Elixir process asked for, and that ends with this process: a lock, a wait, an
// allocation. A resource; its session keeps it until it ends. Guarded by the session's mutex.
struct Watch {
    Watch(std::shared_ptr<Session> of, WatchKind what, std::string region, const ErlNifPid& asker);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    std::shared_ptr<Session> session;
    const WatchKind kind;
    const std::string id;
    const ErlNifPid process;
    ErlNifEnv* const env;      // of `tag`
    ERL_NIF_TERM tag = 0;      // what messages to the process begin with
    std::uint64_t ticket = 0;  // while it waits
    bool write = false;
    bool ended = false;
    std::shared_ptr<Hold> hold;  // of a granted lock
};

struct Counts {
    std::size_t leases = 0, views = 0, locks = 0, waits = 0, allocations = 0;
};

class Session : public std::enable_shared_from_this<Session> {
  public:
    explicit Session(snakepit_shm_client* handle) : handle_(handle) {}
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    snakepit_shm_client* handle() const { return handle_; }
    // Releases locks, waits and the reference to the manager; mappings stay until they are dropped.
    // May take 100 milliseconds.
    void close();
    bool closed() const;
    Counts counts() const;
    std::atomic<int> views{0};

    // A lease of the mapping, or none if the session was closed meanwhile.
    std::shared_ptr<Lease> lease(std::string id, const snakepit_shm_mapping& mapping, bool write);

    // The number that the process locks by, as long as it has or awaits a lock; each call is ended
    // by one of drop_owner().
    std::uint32_t owner_of(const ErlNifPid& process);
    void drop_owner(const ErlNifPid& process);

    // Keeps the watch. False: the session is closed.
    bool add(Watch* watch);
    // The watch waits for the event of its ticket from now on; the event, if it came already.
    // `ended`: the watch was ended before, and so is the ticket.
    std::optional<snakepit_shm_event> await(Watch* watch, std::uint64_t ticket, bool& ended);
    // An event: the watch that waited for it, with one reference for the caller; null if none does,
    // or not yet.
    Watch* arrived(const snakepit_shm_event& event);
    // Ends a request, also if its event is on its way.
    void abandon(std::uint64_t ticket);
    struct Ended {
        bool first = false;          // it had not ended before
        std::shared_ptr<Hold> hold;  // of a lock, for the caller to release
    };
    // Ends the watch and its request. May ask the manager. `died`: its process has ended; a region
    // that it had locked for writing may be half written.
    Ended end(Watch* watch, bool died = false);
    // Deallocates what a process that has ended had allocated; again and again until a manager
    // answers, or the client is closed. May take 100 milliseconds.
    void deallocate(const std::string& id);
    // Forgets the allocations of this id: it was deallocated.
    void forget_allocation(const std::string& id);
    // The read lock that the process has on the region; null if it has none, or also a write lock.
    std::shared_ptr<Hold> read_lock(const ErlNifPid& process, const std::string& id) const;
    // Whether binaries were made under a read lock that the process still has.
    bool has_views(const ErlNifPid& process, const std::string& id) const;

  private:
    friend struct Lease;
    struct ByPid {
        bool operator()(const ErlNifPid& a, const ErlNifPid& b) const {
            return enif_compare_pids(&a, &b) < 0;
        }
    };
    struct Owner {
        std::uint32_t number = 0;
        int uses = 0;
    };
    // With the mutex.
    std::vector<const Watch*> locks_of(const ErlNifPid& process, const std::string& id) const;
    void give(Watch* watch, const snakepit_shm_event& event);
    void release_early(const snakepit_shm_event& event);
    void drop_lease();

    snakepit_shm_client* const handle_;
    mutable std::mutex mutex_;  // never held during a call of the C interface
    bool closed_ = false;
    std::size_t leases_ = 0;
    std::uint32_t next_owner_ = SNAKEPIT_SHM_FIRST_OWNER;
    std::map<ErlNifPid, Owner, ByPid> owners_;
    std::unordered_set<Watch*> watches_;
    std::unordered_map<std::uint64_t, Watch*> waiting_;  // by ticket
    std::unordered_set<std::uint64_t> abandoned_;        // tickets whose event is on its way
    std::unordered_map<std::uint64_t, snakepit_shm_event> early_;
};

}  // namespace snakepit::elixir
