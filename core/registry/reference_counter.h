// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "layout/lease_page.h"
#include "layout/locks_layout.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "platform/process.h"
#include "registry/grant_table.h"

namespace snakepit::shm {

// A client that may hold references: it has one lease page and one record in the grants file.
struct ClientIdentity {
    Credentials credentials;
    std::int64_t start_time = 0;  // 0: not known
    std::string process;
    std::uint64_t process_number = 0;  // see platform/process.h; 0: not known
    std::string other_ids;  // real and saved ids as text; empty: equal to the effective ones
};

struct Holder {
    std::uint32_t client = 0;
    std::uint64_t references = 0;  // 0: granted and idle
    AccessMode access = AccessMode::read_only;
};

// Reference Counter: the manager's half of the lease protocol. There is no shared count. A region's
// count is the sum over the pages of the clients it was granted to, so a crashed client loses
// exactly its own references, and a crash of the manager loses none.
//
// Orders that matter (checked in tests/model/lease.pml):
//   grant:   record in `grants`, then the word (gen, 1). Only the client raises n.
//   reclaim: word (gen, 1) -> (gen, 0), then the record; the slot is RETIRING all the while.
//   sweep:   a dirty mark is cleared before the words behind it are read.
// A client can write anything into its page; it can only falsify its own count. Service thread
// only.
class ReferenceCounter {
  public:
    ReferenceCounter(GrantTable& grants, std::string lease_dir, std::uint64_t epoch)
        : grants_(grants), lease_dir_(std::move(lease_dir)), epoch_(epoch) {}

    // ---- clients
    // Creates the page and the record; storing the serial commits them.
    Result<std::uint32_t> add_client(const ClientIdentity& identity, std::uint64_t serial,
                                     const SessionToken& token);
    // At start: maps the page of a live client and reads its grants. If the page cannot be mapped,
    // the client is treated as hostile: it may use what it was granted until it exits.
    void adopt_client(std::uint32_t client);
    // The state of a client that has exited: the slots in which it had a grant, the acquisitions
    // that were not counted yet, and the references it still held.
    struct ClientHoldings {
        struct Slot {
            std::uint32_t slot;
            std::uint64_t takes;
        };
        std::vector<Slot> slots;
        std::uint64_t references = 0;
    };
    ClientHoldings holdings(std::uint32_t client);
    // Removes all records of it.
    void drop_client(std::uint32_t client);
    // True if no process image holds the page's liveness lock.
    Result<bool> gone(std::uint32_t client) const;
    // The descriptor for the client, which then holds the lock.
    Result<Handle> liveness_lock(std::uint32_t client) const;
    // Its page cannot be read: its grants count as held until it exits, and it gets no new ones.
    bool hostile(std::uint32_t client) const { return grants_.record(client).hostile != 0; }
    // The clients that became hostile since the last call.
    std::vector<std::uint32_t> newly_hostile() { return std::exchange(newly_hostile_, {}); }
    // Removes pages without a record, of clients that were never committed.
    void remove_stray_pages() const;
    // The manager's mapping of the page.
    layout::LeasePage page(std::uint32_t client) const { return pages_[client]->lease; }
    // Wakes the client's threads that wait for a decision.
    void wake(std::uint32_t client);
    // Indices of all clients.
    std::vector<std::uint32_t> clients() const;

    // ---- grants
    Status grant(std::uint32_t client, std::uint32_t slot, std::uint64_t generation,
                 AccessMode access);
    bool granted(std::uint32_t client, std::uint32_t slot, std::uint64_t generation,
                 AccessMode access) const;
    // Withdraws every idle grant. True: no client holds the region or can acquire it any more. The
    // slot must be RETIRING.
    bool reclaim(std::uint32_t slot, std::uint64_t generation);
    // For a region whose grants end with the last reference: the clients whose grants ended; this
    // call clears them. With `take_idle` it also includes idle grants; otherwise `idle` reports
    // whether there are any.
    struct Ended {
        std::vector<std::uint32_t> clients;
        bool idle = false;
    };
    Ended end_grants(std::uint32_t slot, std::uint64_t generation, bool take_idle);
    // Clears grants that were recorded but never sent to a client.
    void revoke_untold(std::uint32_t slot, std::uint64_t generation);
    // Blocks new references; held ones stay until they are released.
    void close(std::uint32_t slot, std::uint64_t generation);
    // The same for one client, or undoes it.
    void close(std::uint32_t client, std::uint32_t slot, std::uint64_t generation, bool closed);
    std::vector<Holder> holders(std::uint32_t slot, std::uint64_t generation);

    // ---- slots in a client's stash (regions/region_stash.h), reference_stash.cpp
    // Before the slot is STASHED; then it is offered, and the client may be told.
    Status record_stash(std::uint32_t client, std::uint32_t slot, std::uint64_t generation);
    void offer(std::uint32_t client, std::uint32_t slot, std::uint64_t generation);
    // What the client's page says; empty: it cannot be read. A client can write anything there.
    std::optional<std::uint64_t> stash_word(std::uint32_t client, std::uint32_t slot);
    // Makes the region that the word describes an ordinary grant. False: the word has changed.
    bool publish(std::uint32_t client, std::uint32_t slot, std::uint64_t seen);
    // The slot was idle and the client cannot use it any more. False: the word has changed.
    bool withdraw_stash(std::uint32_t client, std::uint32_t slot, std::uint64_t seen);
    void forget_stash(std::uint32_t client, std::uint32_t slot);

    // ---- delegated locks (layout/delegated_lock.h), reference_locks.cpp
    // A client's lock on a slot. The serial guards against a page that is another client's by now.
    struct LockPlace {
        std::uint32_t client = 0;
        std::uint64_t serial = 0;
        std::uint32_t slot = 0;
    };
    // What the client's page says; empty: it cannot be read. A client can write anything there.
    std::optional<layout::LockWord> lock_word(const LockPlace& place);
    // The same for the last time: a correct client changes it no more.
    std::optional<layout::LockWord> recall_lock(const LockPlace& place);
    // The base of the delegation's tokens; empty: there is no room, or the page cannot be used.
    std::optional<std::uint64_t> delegate_lock(const LockPlace& place, std::uint64_t token,
                                               std::uint32_t owner,
                                               const layout::LockLevels& levels);

    // ---- sweep
    // The operation times that clients recorded since the last call (LeaseTimes).
    using Timed =
        std::function<void(layout::Timed what, std::uint32_t bucket, std::uint64_t times)>;
    void sweep_times(const Timed& timed);
    // References that the client acquired since it connected, as of the last sweep of its page.
    std::uint64_t acquired(std::uint32_t client) const { return pages_[client]->acquired; }
    // Calls back once for every marked slot, with the acquisitions since the last time. Slots
    // without a grant are included if their lock is delegated.
    void sweep(const std::function<void(std::uint32_t slot, std::uint64_t takes)>& changed);

  private:
    struct TimesSeen;  // reference_times.cpp
    struct Page {
        Page();
        ~Page();
        Mapping mapping;
        Handle file;             // refers to the page even if its name does not
        std::uint64_t size = 0;  // of the file, at least
        layout::LeasePage lease;
        std::uint64_t acquired = 0;
        std::unordered_set<std::uint32_t> locks;        // slots whose lock is delegated
        std::unordered_set<std::uint32_t> lock_chunks;  // chunks whose locks have memory
        std::unique_ptr<TimesSeen> times;               // once it timed something
    };
    std::string page_path(std::uint32_t client) const;
    Status attach_page(std::uint32_t client, const Handle& file);
    Status open_page(std::uint32_t client);
    Status reserve(std::uint32_t client, std::uint32_t slot);
    Status reserve_locks(std::uint32_t client, std::uint32_t slot);
    void mark_hostile(std::uint32_t client);
    void note_times(std::uint32_t client);
    void record_own(std::uint32_t client, std::uint32_t slot, std::uint64_t generation);
    bool exchange_word(std::uint32_t client, std::uint32_t slot, std::uint64_t from,
                       std::uint64_t to);
    bool withdraw(std::uint32_t client, std::uint32_t slot, std::uint64_t generation);
    std::optional<std::uint64_t> word(std::uint32_t client, std::uint32_t slot);
    template <typename T, typename Use>
    std::optional<T> use_lock(const LockPlace& place, Use use);
    std::vector<std::uint16_t>& grantees(std::uint32_t slot);
    void forget(std::uint32_t client, std::uint32_t slot);

    GrantTable& grants_;
    std::string lease_dir_;
    std::uint64_t epoch_;
    std::vector<std::unique_ptr<Page>> pages_;          // by client index
    std::vector<std::vector<std::uint16_t>> grantees_;  // by slot: clients with a grant
    std::vector<std::uint32_t> newly_hostile_;
};

}  // namespace snakepit::shm
