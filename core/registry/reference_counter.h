// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/region.h"
#include "base/result.h"
#include "layout/lease_page.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "platform/process.h"
#include "registry/grant_table.h"

namespace snakepit::shm {

// A client of which references may exist: one lease page, one record in the grants file.
struct ClientIdentity {
    Credentials credentials;
    std::int64_t start_time = 0;  // 0: not known
    std::string process;
    std::uint64_t process_number = 0;  // see platform/process.h; 0: not known
    std::string other_ids;  // real and saved ones, in words; empty: the same as the effective
};

struct Holder {
    std::uint32_t client = 0;
    std::uint64_t references = 0;  // 0: granted and idle
    AccessMode access = AccessMode::read_only;
};

// The specification's Reference Counter, the manager's half of the lease protocol. There is no
// shared count: a region's count is the sum over the pages of the clients it was granted to, so a
// client that crashes takes exactly its own references with it, and a manager that crashes none.
//
// Orders that matter (checked in tests/model/lease.pml):
//   grant:   record in `grants`, then the word (gen, 1). Only the client raises n.
//   reclaim: word (gen, 1) -> (gen, 0), then the record; the slot is RETIRING all the while.
//   sweep:   a dirty mark is cleared before the words behind it are read.
// Everything in a page may be a lie of its client; it can only ever spoil that client's own count.
// Service thread only.
class ReferenceCounter {
  public:
    ReferenceCounter(GrantTable& grants, std::string lease_dir, std::uint64_t epoch)
        : grants_(grants), lease_dir_(std::move(lease_dir)), epoch_(epoch) {}

    // ---- clients
    // Makes the page and the record; the serial is what commits it.
    Result<std::uint32_t> add_client(const ClientIdentity& identity, std::uint64_t serial,
                                     const SessionToken& token);
    // At start: maps the page of a client that is alive, and learns its grants. A page that cannot
    // be had makes the client a hostile one: it may use what it was granted until it is gone.
    void adopt_client(std::uint32_t client);
    // What a client that is gone leaves: the slots in which it had a grant, with the takes that
    // were not counted yet, and the references it still held.
    struct ClientHoldings {
        struct Slot {
            std::uint32_t slot;
            std::uint64_t takes;
        };
        std::vector<Slot> slots;
        std::uint64_t references = 0;
    };
    ClientHoldings holdings(std::uint32_t client);
    // Forgets everything of it.
    void drop_client(std::uint32_t client);
    // True when no process image keeps the page's liveness lock.
    Result<bool> gone(std::uint32_t client) const;
    // To be handed to the client, which then holds the lock.
    Result<Handle> liveness_lock(std::uint32_t client) const;
    // Its page cannot be read: its grants count as held for as long as it lives, and there are no
    // more.
    bool hostile(std::uint32_t client) const { return grants_.record(client).hostile != 0; }
    // Those that became so since the last call.
    std::vector<std::uint32_t> newly_hostile() { return std::exchange(newly_hostile_, {}); }
    // Removes pages that no record names: of a client that was never committed.
    void remove_stray_pages() const;
    // The page as we map it.
    layout::LeasePage page(std::uint32_t client) const { return pages_[client]->lease; }
    // Wakes the threads of the client that wait for a word of ours.
    void wake(std::uint32_t client);
    // Indices of the clients there are.
    std::vector<std::uint32_t> clients() const;

    // ---- grants
    Status grant(std::uint32_t client, std::uint32_t slot, std::uint64_t generation,
                 AccessMode access);
    bool granted(std::uint32_t client, std::uint32_t slot, std::uint64_t generation,
                 AccessMode access) const;
    // Withdraws every idle grant. True: nobody holds the region and nobody can take it any more.
    // The slot must be RETIRING.
    bool reclaim(std::uint32_t slot, std::uint64_t generation);
    // Of a region whose grants end with the last reference: the clients whose grant did, which are
    // forgotten by that. With `take_idle` also of those that never used it or kept it; otherwise
    // `idle` says that there are some.
    struct Ended {
        std::vector<std::uint32_t> clients;
        bool idle = false;
    };
    Ended end_grants(std::uint32_t slot, std::uint64_t generation, bool take_idle);
    // Forgets grants that were written and never told to anybody.
    void revoke_untold(std::uint32_t slot, std::uint64_t generation);
    // No new references; those that are held stay until they are given back.
    void close(std::uint32_t slot, std::uint64_t generation);
    // The same for one client, or the end of it.
    void close(std::uint32_t client, std::uint32_t slot, std::uint64_t generation, bool closed);
    std::vector<Holder> holders(std::uint32_t slot, std::uint64_t generation);

    // ---- sweep
    // What clients timed since they were last asked, those that timed anything (LeaseTimes).
    using Timed =
        std::function<void(layout::Timed what, std::uint32_t bucket, std::uint64_t times)>;
    void sweep_times(const Timed& timed);
    // References the client took since it was met, as far as its page was swept.
    std::uint64_t acquired(std::uint32_t client) const { return pages_[client]->acquired; }
    // Calls back once for every slot with a mark, with the takes counted since the last time.
    void sweep(const std::function<void(std::uint32_t slot, std::uint64_t takes)>& changed);

  private:
    struct TimesSeen;  // reference_times.cpp
    struct Page {
        Page();
        ~Page();
        Mapping mapping;
        Handle file;             // leads to the page also when its name does not
        std::uint64_t size = 0;  // of the file, at least
        layout::LeasePage lease;
        std::uint64_t acquired = 0;
        std::unique_ptr<TimesSeen> times;  // once it timed something
    };
    std::string page_path(std::uint32_t client) const;
    Status attach_page(std::uint32_t client, const Handle& file);
    Status open_page(std::uint32_t client);
    Status reserve(std::uint32_t client, std::uint32_t slot);
    void mark_hostile(std::uint32_t client);
    void note_times(std::uint32_t client);
    bool withdraw(std::uint32_t client, std::uint32_t slot, std::uint64_t generation);
    std::optional<std::uint64_t> word(std::uint32_t client, std::uint32_t slot);
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
