// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "regions/encrypted_regions.h"
#include "regions/region_directory.h"

namespace snakepit::shm {

struct LockCall {
    RegionId id;
    AccessMode mode = AccessMode::read_only;  // read_write: alone
    std::uint32_t timeout_ms = 0;             // 0: do not wait; kLockForever
    std::uint32_t thread = 0;                 // of the caller, who waits for one thing at a time
    std::uint32_t request = 0;                // the caller's own number for it, never 0
};

struct LockReply {
    LockState state = LockState::unknown;  // granted, queued, timed_out or unknown
    std::uint64_t token = 0;
    std::uint64_t ticket = 0;
    // The client locks and unlocks in its lease page from now on (layout/delegated_lock.h).
    struct Delegation {
        std::uint32_t slot = 0;
        std::uint64_t base = 0;
        bool writable = false;
    };
    std::optional<Delegation> delegation = {};
    bool inconsistent = false;  // a writer died in its lock, and no writer has given one back since
};

// Locks on regions: who may take one, who is notified, and what the end of a holder means.
// Service thread only.
//
// What a kill leaves: the Synchronizer's table changes by single stores (registry/lock_table.h). A
// region becomes inconsistent before the lock of its dead writer leaves the table, and stops being
// it before the lock that acknowledges it does. Between the two someone still comes: the next
// manager, which finds a lock without a client and does the same again, or the writer, which asks
// again. The event is recorded once, because the region is inconsistent already.
//
// Locks are delegated to clients only if a lock and its release concern nobody else: not of
// encrypted or audited regions, nor while a region is inconsistent or about to change.
class LockManager : RegionPart {
  public:
    LockManager(ServiceState& state, ClientRegistry& clients, RegionLifecycle& lifecycle,
                RegionPolicies& policies, RegionDirectory& directory, EncryptedRegions& encrypted,
                Refusals& refusals)
        : RegionPart(state),
          clients_(clients),
          lifecycle_(lifecycle),
          policies_(policies),
          directory_(directory),
          encrypted_(encrypted),
          refusals_(refusals) {}

    // Whoever may map a region may lock it so. `queued`: the client's word in its lease page counts
    // on when something was decided, and wait() says what; the answer to a call that is made again
    // is the answer to the first. A held lock counts as a reference.
    Result<LockReply> lock(const Caller& caller, const LockCall& call);
    Result<LockReply> wait(const Caller& caller, std::uint64_t ticket);
    // For who has waited long enough: granted after all, or timed_out.
    Result<LockReply> cancel(const Caller& caller, std::uint64_t ticket);
    void cancel_request(const Caller& caller, const RegionId& id, std::uint32_t thread,
                        std::uint32_t request);
    // One level of the lock; not_held when the token is not one of this client's.
    Status unlock(const Caller& caller, const RegionId& id, std::uint64_t token,
                  std::uint32_t request);
    // All levels, for an owner that ended while its program goes on: as if the program had ended.
    Status abandon(const Caller& caller, const RegionId& id, std::uint64_t token);
    // Regions that are locked, paged as RegionDirectory::list().
    Result<std::vector<RegionLocks>> list(const Caller& caller, std::string_view filter,
                                          std::uint32_t& slot, std::size_t bytes);
    // Administrators: takes one lock (`token` 0: all of the region) from its holder, and returns
    // whose it was. A region taken from a writer is inconsistent.
    Result<RegionLocks> release(const Caller& caller, const RegionId& id, std::uint64_t token);

    // The region was withdrawn: ends all waits for it.
    void dismiss_waiters(std::uint32_t slot);
    void expire_waits();
    // Ends loans of locks (Synchronizer). True: some go on; call again in a moment.
    bool end_loans();
    bool has_loans() const { return synchronizer_.has_loans(); }
    // A client ended: what it has locked joins its holdings, to be evaluated with the others.
    void add_holdings(std::uint64_t serial, ReferenceCounter::ClientHoldings& left);
    // Then its locks and waits end.
    void drop(const layout::ClientRecord& record, std::uint64_t serial);
    void recover();

  private:
    bool may_delegate(const Caller& caller, std::uint32_t slot) const;
    Result<LockReply> reply_to(const Caller& caller, const LockAnswer& answer);
    Error deadlock_error(const Caller& caller, const RegionId& id, const LockAnswer& answer);
    std::string name_of(const LockOwner& owner) const;
    LockHolder describe(const Synchronizer::Held& held, bool with_token) const;
    RegionLocks describe(std::uint32_t slot, bool with_tokens) const;
    // The region's writer ended or was forced out: inconsistent, in one step with the event.
    void mark_inconsistent(std::uint32_t slot, const Event& event);
    // Notifies those whose wait has ended.
    void notify_settled();

    ClientRegistry& clients_;
    RegionLifecycle& lifecycle_;
    RegionPolicies& policies_;
    RegionDirectory& directory_;
    EncryptedRegions& encrypted_;
    Refusals& refusals_;
};

}  // namespace snakepit::shm
