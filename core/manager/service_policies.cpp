// SPDX-License-Identifier: MIT
#include "manager/service_policies.h"

#include <fmt/format.h>

#include "manager/service.h"

namespace snakepit::shm {

using namespace layout;

namespace {

Error encryption_required(std::string_view what) {
    return make_error(ErrorCode::encryption_required,
                      fmt::format("{} requires encryption, and the region is not encrypted", what),
                      "ask for the security level high or maximum");
}

}  // namespace

// ---------------------------------------------------------------- decisions

RegionAccess ServicePolicies::access(std::uint32_t slot) const {
    const auto& registry = *service_.registry_;
    const auto& fixed = registry.fixed(slot);
    const auto& body = registry.body(slot);
    RegionAccess out{fixed.owner_uid,
                     fixed.owner_gid,
                     {static_cast<Permission>(body.permission_owner),
                      static_cast<Permission>(body.permission_group),
                      static_cast<Permission>(body.permission_other)}};
    out.shares_memory = (body.flags & kPolicyPending) != 0 && body.arena != 0;
    if ((body.flags & kHasPolicy) == 0) return out;
    const auto found = policies_.find(registry.id(slot));
    out.readable = found != policies_.end();
    if (!out.readable) return out;
    out.permissions = found->second.policy.permissions;
    out.rules = &found->second.policy.rules;
    return out;
}

Policy ServicePolicies::policy_of(std::uint32_t slot) const {
    const auto found = policies_.find(service_.registry_->id(slot));
    if (found != policies_.end()) return found->second.policy;
    Policy out;
    out.permissions = access(slot).permissions;
    return out;
}

// What only the process itself can tell is asked only where a rule depends on it.
Subject ServicePolicies::subject_of(const Credentials& who, const Identity* identity,
                                    const RegionAccess* region) {
    Subject out{who, {}, 0, {}};
    if (!identity) return out;
    out.groups = identity->groups();
    if (region && (needs_process(*region) || needs_program(*region)) && identity->same()) {
        out.start_time = identity->start_time();
        if (needs_program(*region)) out.program = identity->program();
    }
    return out;
}

Subject ServicePolicies::holder(std::uint32_t client, const RegionAccess* region) const {
    const auto& record = service_.grants_.record(client);
    const Credentials who{record.pid, record.uid, record.gid};
    const auto known = met_.find(record.serial.load(std::memory_order_relaxed));
    if (known != met_.end()) return subject_of(who, known->second.get(), region);
    // An earlier manager's client that did not come back yet.
    if (record.start_time == 0) return subject_of(who, nullptr, region);  // its number is no proof
    const auto identity = identify_process(record.pid, record.start_time);
    return subject_of(who, identity ? identity->get() : nullptr, region);
}

Status ServicePolicies::check(const Caller& caller, Operation operation, std::uint32_t slot) const {
    const auto region = access(slot);
    return service_.security_.check(operation,
                                    subject_of(caller.credentials, caller.identity.get(), &region),
                                    region, service_.registry_->id(slot));
}

bool ServicePolicies::may(const Caller& caller, Operation operation, std::uint32_t slot) const {
    const auto region = access(slot);
    return service_.security_
        .decide(operation, subject_of(caller.credentials, caller.identity.get(), &region), region)
        .allowed;
}

Status ServicePolicies::check(const Caller& caller, Privilege privilege) const {
    return service_.security_.check(privilege,
                                    subject_of(caller.credentials, caller.identity.get(), nullptr));
}

Status ServicePolicies::require(const Caller& caller, Privilege privilege,
                                std::string_view operation) {
    auto checked = check(caller, privilege);
    if (checked) return {};
    return fail(service_.refuse(caller, std::move(checked).error(), operation, {}));
}

Quota ServicePolicies::quota(const Caller& caller) const {
    if (service_.config_.quotas.empty()) return {};  // asked at every allocation
    return quota_of(subject_of(caller.credentials, caller.identity.get(), nullptr),
                    service_.config_.quotas, service_.security_.names());
}

Quota ServicePolicies::quota_of_user(std::uint32_t uid) const {
    Subject who{{0, uid, ~0U}, {}, 0, {}};
    who.groups = login_groups(uid, who.credentials.gid);
    return quota_of(who, service_.config_.quotas, service_.security_.names());
}

void ServicePolicies::met(const Caller& caller) {
    if (caller.identity) met_.insert_or_assign(caller.serial, caller.identity);
}

// --------------------------------------------------------------- allocation

Result<std::optional<Policy>> ServicePolicies::for_new(RegionOptions& options) const {
    auto policy = service_.config_.policy;
    if (options.exact_permissions || options.permissions != PermissionSet{}) {
        policy.permissions = options.permissions;
        policy.rules.clear();
    }
    options.permissions = policy.permissions;
    options.audit_access = options.audit_access || policy.audit;
    if (policy.require_encryption &&
        options.security_level.value_or(SecurityLevel::standard) == SecurityLevel::standard)
        return fail(encryption_required("the policy of new regions"));
    const bool more = !policy.rules.empty() || policy.require_encryption || policy.audit;
    if (!more) return std::optional<Policy>();
    if (options.placement == Placement::pooled)
        return fail(ErrorCode::invalid_argument,
                    "the policy of new regions is more than their user's own access, and such "
                    "regions are not pooled",
                    "leave the placement out");
    options.placement = Placement::dedicated;
    return std::optional(std::move(policy));
}

Status ServicePolicies::keep(const Policy& policy, const Caller& caller,
                             PendingAllocation& making) {
    const auto id = service_.registry_->id(making.slot);
    if (!store_) return fail(ErrorCode::database_unavailable, "the state database is not open");
    SHM_TRY(store_->save({id, 1, policy, now(), caller.credentials.uid, caller.credentials.pid},
                         making.durable));
    policies_.insert_or_assign(id, Entry{policy, 1});
    making.flags = kHasPolicy | 1U << 16;
    return {};
}

void ServicePolicies::forget(const RegionId& id) {
    if (policies_.erase(id) == 0 || !store_) return;
    (void)store_->remove(id);  // else at the next start
}

// ------------------------------------------------------------------ setting

// A number that is given out again must not inherit what a rule says of it.
Status ServicePolicies::pin(Policy& policy) const {
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
        auto& rule = policy.rules[i];
        if (rule.process == 0 || rule.process_start != 0) continue;
        const auto info = inspect_process(rule.process);
        if (!info && info.error().code == ErrorCode::permission_denied)
            return fail(ErrorCode::policy_invalid,
                        fmt::format("rules[{}].process: {}", i, info.error().message),
                        info.error().remedy);
        if (!info || info->zombie)
            return fail(ErrorCode::policy_invalid,
                        fmt::format("rules[{}].process: there is no process {}", i, rule.process),
                        "name one that runs");
        rule.process_start = info->start_time;
    }
    return {};
}

// Whether somebody may have the memory whom the new policy would not give it.
bool ServicePolicies::pending_after(std::uint32_t slot, const Policy& policy) const {
    const auto& body = service_.registry_->body(slot);
    if (body.arena != 0) return !policy.plain();
    if ((body.flags & kPolicyPending) != 0) return true;
    if (!access(slot).readable) return true;
    const bool untouched = service_.notes_.size() > slot && service_.notes_[slot].untouched;
    return !untouched && !allows_as_much(policy, policy_of(slot));
}

Result<std::uint32_t> ServicePolicies::change(const Caller& caller, const RegionId& id,
                                              const std::string& json) {
    SHM_ASSIGN(const auto slot, service_.usable(caller, id, Operation::manage));
    SHM_TRY(service_.mappable(slot));
    SHM_ASSIGN(auto policy, parse_policy(json));
    SHM_TRY(pin(policy));
    const auto& body = service_.registry_->body(slot);
    if (policy.require_encryption &&
        static_cast<SecurityLevel>(body.security_level) == SecurityLevel::standard)
        return fail(encryption_required("the policy"));
    if (!store_)
        return fail(ErrorCode::database_unavailable, "the state database is not open",
                    "free space in the state directory, and start the manager again");
    const auto revision = (revision_of(body) + 1) & 0xFFFFU;
    SHM_TRY(store_->save(
        {id, revision, policy, now(), caller.credentials.uid, caller.credentials.pid}, true));
    publish(slot, policy, revision, caller.credentials);
    return slot;
}

// Whatever a policy says.
bool ServicePolicies::always_audited(const SlotBody& body) const {
    return service_.config_.audit_access ||
           static_cast<SecurityLevel>(body.security_level) == SecurityLevel::maximum;
}

// The row stands: now the slot says so, in one step with the event.
void ServicePolicies::publish(std::uint32_t slot, const Policy& policy, std::uint32_t revision,
                              const Credentials& by) {
    auto& registry = *service_.registry_;
    auto body = registry.body(slot);
    const bool pending = pending_after(slot, policy);
    body.permission_owner = static_cast<std::uint8_t>(policy.permissions.owner);
    body.permission_group = static_cast<std::uint8_t>(policy.permissions.group);
    body.permission_other = static_cast<std::uint8_t>(policy.permissions.other);
    body.flags &= ~(kPolicyRevision | kPolicyPending);
    body.flags |= kHasPolicy | revision << 16 | (pending ? std::uint32_t{kPolicyPending} : 0);
    const bool was_audited = (body.flags & kAudited) != 0;
    const auto before = policies_.find(registry.id(slot));
    if (policy.audit)
        body.flags |= kAudited;
    else if (before != policies_.end() && before->second.policy.audit && !always_audited(body))
        body.flags &= ~std::uint32_t{kAudited};
    auto word = registry.control(slot);
    registry.write_other_body(slot, body, word.generation);
    word.body ^= 1U;
    registry.commit(
        slot, word,
        {.kind = EventKind::policy_changed, .pid = by.pid, .uid = by.uid, .text = summary(policy)});
    policies_.insert_or_assign(registry.id(slot), Entry{policy, revision});
    // Who has it idle asks from now on, so that it is recorded.
    if (policy.audit && !was_audited && word.state == SlotState::live && !word.withdrawn)
        withdraw_idle(slot);
    // Of a durable one: what a reboot finds; the row decides there, too.
    if ((body.flags & kDurable) != 0)
        (void)service_.allocator_.durable.save(registry.fixed(slot), registry.body(slot),
                                               registry.metadata(slot));
}

void ServicePolicies::set(const Caller& caller, const RegionId& id, const std::string& json,
                          std::function<void(Result<std::string>)> done) {
    const auto slot = change(caller, id, json);
    if (!slot) return done(fail(service_.refuse(caller, slot.error(), "policy", id)));
    if ((service_.registry_->body(*slot).flags & kPolicyPending) != 0) {
        restrict(*slot);
        service_.evaluate(*slot, service_.registry_->time());
    }
    // It may have ended while it moved: by somebody else's hand, or because it was due.
    const auto answer = [this, id, done] {
        const auto there = service_.find(id);
        if (!there) return done(fail(there.error()));
        done(to_json(report(*there)));
    };
    if (service_.moving(id)) return service_.when_settled(id, answer);
    answer();
}

// ------------------------------------------------------------ coming into effect

void ServicePolicies::withdraw_idle(std::uint32_t slot) {
    auto& registry = *service_.registry_;
    const auto before = registry.control(slot);
    auto word = before;
    word.state = SlotState::retiring;
    registry.store(slot, word);
    (void)service_.counter_.reclaim(slot, word.generation);
    registry.store(slot, before);
    service_.refresh(slot);
}

void ServicePolicies::restrict(std::uint32_t slot) {
    const auto word = service_.registry_->control(slot);
    if (word.state != SlotState::live || word.withdrawn) return;
    withdraw_idle(slot);
    const auto region = access(slot);
    for (const auto& held : service_.counter_.holders(slot, word.generation)) {
        const auto operation =
            held.access == AccessMode::read_write ? Operation::write : Operation::read;
        const auto who = holder(held.client, &region);
        const bool closed = !service_.security_.decide(operation, who, region).allowed;
        service_.counter_.close(held.client, slot, word.generation, closed);
    }
}

bool ServicePolicies::settle(std::uint32_t slot) {
    if ((service_.registry_->body(slot).flags & kPolicyPending) == 0 || !service_.movable(slot))
        return false;
    return service_.move(slot, service_.allocator_.begin_dedicate(slot), "policy");
}

}  // namespace snakepit::shm
