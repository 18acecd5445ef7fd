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

#include "base/policy.h"
#include "manager/caller.h"
#include "registry/reference_counter.h"
#include "security/policy_store.h"
#include "security/policy_text.h"
#include "security/security_controller.h"

namespace snakepit::shm {

struct Making;
class Service;

// The part of the Service that knows the regions' policies: asks the SecurityController, keeps the
// rows, and sees that a policy comes into effect.
//
// Orders that survive a kill. Set: the row (on disk) -> body with flag and revision, in one step
// with the event. The row decides: after a kill between the two the next manager makes the body say
// what the row says, with the event. Allocate: the row -> the body -> LIVE; a row of a region that
// never came to be is removed. Freed: the slot is FREE -> the row is removed, or at the next start.
// A region whose body has the flag and that has no row is open to its owner and administrators
// alone, who manage it and nothing else.
//
// When a policy is in effect. Memory that was handed out stays where it is mapped, so a policy that
// may refuse somebody what the last one allowed takes everybody's idle grants away, lets those it
// refuses take no more references, and is in full effect when the region has moved to fresh memory,
// which it does as soon as nobody holds it. Until then the body says kPolicyPending. A pooled
// region whose policy is no longer the plain one moves for the same reason, and nobody but its user
// gets it before that. A policy that only allows more needs neither.
//
// Service thread only.
class ServicePolicies {
  public:
    explicit ServicePolicies(Service& service) : service_(service) {}

    // ---- decisions
    Status check(const Caller& caller, Operation operation, std::uint32_t slot) const;
    // The same without saying why.
    bool may(const Caller& caller, Operation operation, std::uint32_t slot) const;
    Status check(const Caller& caller, Privilege privilege) const;
    bool may(const Caller& caller, Privilege privilege) const {
        return check(caller, privilege).has_value();
    }
    // A refusal is recorded as an event about `operation`.
    Status require(const Caller& caller, Privilege privilege, std::string_view operation);
    Quota quota(const Caller& caller) const;
    // With the groups that it gets when it logs in.
    Quota quota_of_user(std::uint32_t uid) const;
    // A client came, or came back, over a connection.
    void met(const Caller& caller);
    void gone(std::uint64_t serial) { met_.erase(serial); }

    // Shared with the alerts; null before open().
    const std::shared_ptr<StateDatabase>& state_database() const { return state_database_; }
    // What holds for the region; plain if it was lost.
    Policy policy_of(std::uint32_t slot) const;

    // ---- operations
    // JSON, see PolicyReport. Without an id: the defaults.
    Result<std::string> show(const Caller& caller, const std::optional<RegionId>& id);
    void set(const Caller& caller, const RegionId& id, const std::string& json,
             std::function<void(Result<std::string>)> done);

    // ---- allocation
    // What a new region is to have: fills in the permissions, and where it has to live. A policy
    // that is more than permissions; nothing otherwise. encryption_required.
    Result<std::optional<Policy>> for_new(RegionOptions& options) const;
    Status keep(const Policy& policy, const Caller& caller, Making& making);
    // The region is gone, or never was.
    void forget(const RegionId& id);

    // ---- as time goes on
    // Of a region nobody holds: moves it if its policy waits for that. True: it is moving, or has.
    bool settle(std::uint32_t slot);
    // Of a region somebody holds: nobody takes more references than the policy allows.
    void restrict(std::uint32_t slot);

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
    Result<std::uint32_t> change(const Caller& caller, const RegionId& id, const std::string& json);
    bool always_audited(const layout::SlotBody& body) const;
    void publish(std::uint32_t slot, const Policy& policy, std::uint32_t revision,
                 const Credentials& by);
    void withdraw_idle(std::uint32_t slot);
    void recover_slot(std::uint32_t slot, const std::unordered_map<RegionId, StoredPolicy>& rows);
    PolicyReport report(std::uint32_t slot) const;
    void add_clients(PolicyReport& report, std::optional<std::uint32_t> slot) const;
    std::string note(std::uint32_t slot) const;

    static std::uint32_t revision_of(const layout::SlotBody& body) {
        return (body.flags & layout::kPolicyRevision) >> 16;
    }

    Service& service_;
    std::shared_ptr<StateDatabase> state_database_;
    std::optional<PolicyStore> store_;
    bool sees_programs_ = false;
    std::unordered_map<RegionId, Entry> policies_;
    std::unordered_map<std::uint64_t, std::shared_ptr<const Identity>> met_;  // by client's serial
};

}  // namespace snakepit::shm
