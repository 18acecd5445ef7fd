// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/policy.h"
#include "regions/refusals.h"
#include "regions/region_mover.h"
#include "security/policy_store.h"
#include "security/policy_text.h"

namespace snakepit::shm {

// The regions' policies: asks the SecurityController, keeps the rows, and brings policies into
// effect.
//
// Orders that survive a kill. Set: the row (on disk, written in the background) -> body with flag
// and revision, in one step with the event. The row decides: after a kill between the two the next
// manager makes the body say what the row says, with the event. Allocate: the row -> the body ->
// LIVE; a row of a region that never came to be is removed. Freed: the slot is FREE -> the row is
// removed, or at the next start. A region whose body has the flag and that has no row is open to
// its owner and administrators alone, who manage it and nothing else.
//
// When a policy is in effect. Memory that was handed out stays where it is mapped, so a policy that
// may refuse a client what the last one allowed withdraws all idle grants, lets the clients it
// refuses take no more references, and is in full effect when the region has moved to fresh memory,
// which it does as soon as nobody holds it. Until then the body says kPolicyPending. A pooled
// region whose policy is no longer the plain one moves for the same reason, and nobody but its user
// gets it before that. A policy that only allows more needs neither.
//
// Service thread only.
class RegionPolicies final : RegionPart, public IdleHandler {
  public:
    RegionPolicies(ServiceState& state, ClientRegistry& clients, RegionLifecycle& lifecycle,
                   RegionMover& mover, Refusals& refusals)
        : RegionPart(state),
          clients_(clients),
          lifecycle_(lifecycle),
          mover_(mover),
          refusals_(refusals) {}

    // ---- decisions
    Status check(const Caller& caller, Operation operation, std::uint32_t slot) const;
    // The same without saying why.
    bool may(const Caller& caller, Operation operation, std::uint32_t slot) const;
    // The slot of a region that exists and with which the caller may do this.
    Result<std::uint32_t> usable(const Caller& caller, const RegionId& id,
                                 Operation operation) const;
    Status check(const Caller& caller, Privilege privilege) const;
    bool may(const Caller& caller, Privilege privilege) const {
        return check(caller, privilege).has_value();
    }
    // A refusal is recorded as an event about `operation`.
    Status require(const Caller& caller, Privilege privilege, std::string_view operation);
    Quota quota(const Caller& caller) const;
    // With the groups that it gets when it logs in.
    Quota quota_of_user(std::uint32_t uid) const;
    // A client connected, perhaps again.
    void client_identified(const Caller& caller);
    void client_ended(std::uint64_t serial) { identities_.erase(serial); }

    // What holds for the region; plain if it was lost.
    Policy policy_of(std::uint32_t slot) const;

    // ---- operations
    // JSON, see PolicyReport. Without an id: the defaults.
    Result<std::string> show(const Caller& caller, const std::optional<RegionId>& id);
    using Done = std::function<void(Result<std::string>)>;
    // The row is saved in the background; `done` with the report once it is published.
    void set(const Caller& caller, const RegionId& id, const std::string& json, Done done);

    // ---- allocation
    // What a new region is to have: fills in the permissions, and where it has to live. A policy
    // that is more than permissions; nothing otherwise. encryption_required.
    Result<std::optional<Policy>> for_new(RegionOptions& options) const;
    // The row to be saved before the region is LIVE. database_unavailable.
    Result<StoredPolicy> adopt(const Policy& policy, const Caller& caller,
                               PendingAllocation& making);
    Status save(const StoredPolicy& row, bool lasting);  // in the background

    // ---- as time goes on
    // Moves a region whose policy waits for that.
    bool region_idle(std::uint32_t slot) override;
    // Nobody takes more references than the policy allows.
    void region_held(std::uint32_t slot) override;
    void region_freed(const RegionId& id, bool pooled) override;

    // ---- start
    void open();
    void recover();

  private:
    struct Entry {
        Policy policy;
        std::uint32_t revision = 0;
    };
    RegionAccess access(std::uint32_t slot) const;
    static Subject subject_of(const Credentials& who, const Identity* identity,
                              const RegionAccess* region);
    Subject holder(std::uint32_t client, const RegionAccess* region) const;
    bool pending_after(std::uint32_t slot, const Policy& policy) const;
    Status pin(Policy& policy) const;
    Result<StoredPolicy> prepare(const Caller& caller, const RegionId& id, const std::string& json);
    void finish(const Caller& caller, const StoredPolicy& row, const Status& saved,
                const Done& done);
    void come_into_effect(std::uint32_t slot, const Done& done);
    bool always_audited(const layout::SlotBody& body) const;
    void publish(std::uint32_t slot, const Policy& policy, std::uint32_t revision,
                 const Credentials& by);
    bool pending(std::uint32_t slot) const {
        return (registry_.body(slot).flags & layout::kPolicyPending) != 0;
    }
    void restrict(std::uint32_t slot);
    void withdraw_idle(std::uint32_t slot);
    void recover_slot(std::uint32_t slot, const std::unordered_map<RegionId, StoredPolicy>& rows);
    PolicyReport report(std::uint32_t slot) const;
    void add_clients(PolicyReport& report, std::optional<std::uint32_t> slot) const;
    std::string note(std::uint32_t slot) const;

    static std::uint32_t revision_of(const layout::SlotBody& body) {
        return (body.flags & layout::kPolicyRevision) >> 16;
    }

    ClientRegistry& clients_;
    RegionLifecycle& lifecycle_;
    RegionMover& mover_;
    Refusals& refusals_;
    std::optional<PolicyStore> store_;
    bool sees_programs_ = false;
    std::unordered_map<RegionId, Entry> policies_;
    // Regions whose new row is being saved, each with the changes that come after it.
    std::unordered_map<RegionId, std::vector<std::function<void()>>> changing_;
    // By client's serial.
    std::unordered_map<std::uint64_t, std::shared_ptr<const Identity>> identities_;
};

}  // namespace snakepit::shm
