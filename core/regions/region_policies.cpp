// SPDX-License-Identifier: MIT
#include "regions/region_policies.h"

#include <fmt/format.h>

namespace snakepit::shm {

using namespace layout;

namespace {

Error no_store() {
    return make_error(ErrorCode::database_unavailable, "the state database is not open",
                      "free space in the state directory, and start the manager again");
}

Error encryption_required(std::string_view what) {
    return make_error(ErrorCode::encryption_required,
                      fmt::format("{} requires encryption, and the region is not encrypted", what),
                      "ask for the security level high or maximum");
}

}  // namespace

// ---------------------------------------------------------------- decisions

RegionAccess RegionPolicies::access(std::uint32_t slot) const {
    const auto& fixed = registry_.fixed(slot);
    const auto& body = registry_.body(slot);
    RegionAccess out{fixed.owner_uid,
                     fixed.owner_gid,
                     {static_cast<Permission>(body.permission_owner),
                      static_cast<Permission>(body.permission_group),
                      static_cast<Permission>(body.permission_other)}};
    out.shares_memory = (body.flags & kPolicyPending) != 0 && body.arena != 0;
    if ((body.flags & kHasPolicy) == 0) return out;
    const auto found = policies_.find(registry_.id(slot));
    out.readable = found != policies_.end();
    if (!out.readable) return out;
    out.permissions = found->second.policy.permissions;
    out.rules = &found->second.policy.rules;
    return out;
}

Policy RegionPolicies::policy_of(std::uint32_t slot) const {
    const auto found = policies_.find(registry_.id(slot));
    if (found != policies_.end()) return found->second.policy;
    Policy out;
    out.permissions = access(slot).permissions;
    return out;
}

// What only the process itself can tell is asked only where a rule depends on it.
Subject RegionPolicies::subject_of(const Credentials& who, const Identity* identity,
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

Subject RegionPolicies::holder(std::uint32_t client, const RegionAccess* region) const {
    const auto& record = clients_.record(client);
    const Credentials who{record.pid, record.uid, record.gid};
    const auto known = identities_.find(record.serial.load(std::memory_order_relaxed));
    if (known != identities_.end()) return subject_of(who, known->second.get(), region);
    // An earlier manager's client that did not come back yet.
    if (record.start_time == 0)
        return subject_of(who, nullptr, region);  // its number proves nothing
    const auto identity = identify_process(record.pid, record.start_time);
    return subject_of(who, identity ? identity->get() : nullptr, region);
}

Status RegionPolicies::check(const Caller& caller, Operation operation, std::uint32_t slot) const {
    const auto region = access(slot);
    return state_.security.check(operation,
                                 subject_of(caller.credentials, caller.identity.get(), &region),
                                 region, registry_.id(slot));
}

bool RegionPolicies::may(const Caller& caller, Operation operation, std::uint32_t slot) const {
    const auto region = access(slot);
    return state_.security
        .decide(operation, subject_of(caller.credentials, caller.identity.get(), &region), region)
        .allowed;
}

Status RegionPolicies::check(const Caller& caller, Privilege privilege) const {
    return state_.security.check(privilege,
                                 subject_of(caller.credentials, caller.identity.get(), nullptr));
}

Status RegionPolicies::require(const Caller& caller, Privilege privilege,
                               std::string_view operation) {
    auto checked = check(caller, privilege);
    if (checked) return {};
    return fail(refusals_.refuse(caller, std::move(checked).error(), operation, {}));
}

Result<std::uint32_t> RegionPolicies::usable(const Caller& caller, const RegionId& id,
                                             Operation operation) const {
    SHM_ASSIGN(const auto slot, find_region(registry_, id));
    SHM_TRY(check(caller, operation, slot));
    return slot;
}

Quota RegionPolicies::quota(const Caller& caller) const {
    if (config_.quotas.empty()) return {};  // asked at every allocation
    return quota_of(subject_of(caller.credentials, caller.identity.get(), nullptr), config_.quotas,
                    state_.security.names());
}

Quota RegionPolicies::quota_of_user(std::uint32_t uid) const {
    Subject who{{0, uid, ~0U}, {}, 0, {}};
    who.groups = login_groups(uid, who.credentials.gid);
    return quota_of(who, config_.quotas, state_.security.names());
}

void RegionPolicies::client_identified(const Caller& caller) {
    if (caller.identity) identities_.insert_or_assign(caller.serial, caller.identity);
}

// --------------------------------------------------------------- allocation

Result<std::optional<Policy>> RegionPolicies::for_new(RegionOptions& options) const {
    auto policy = config_.policy;
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

Result<StoredPolicy> RegionPolicies::adopt(const Policy& policy, const Caller& caller,
                                           PendingAllocation& making) {
    const auto id = registry_.id(making.slot);
    if (!store_) return fail(no_store());
    policies_.insert_or_assign(id, Entry{policy, 1});
    making.flags = kHasPolicy | 1U << 16;
    return StoredPolicy{id, 1, policy, now(), caller.credentials.uid, caller.credentials.pid};
}

Status RegionPolicies::save(const StoredPolicy& row, bool lasting) {
    return store_->save(row, lasting);
}

void RegionPolicies::region_freed(const RegionId& id, bool) {
    if (policies_.erase(id) == 0 || !store_) return;
    state_.run_in_background([this, id] { (void)store_->remove(id); }, [] {});  // else at the start
}

// ------------------------------------------------------------------ setting

// A number that is given out again must not inherit what a rule says of it.
Status RegionPolicies::pin(Policy& policy) const {
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
        auto& rule = policy.rules[i];
        if (rule.process == 0 || rule.process_start != 0) continue;
        const auto info = inspect_process(rule.process);
        if (!info && info.error().code == ErrorCode::permission_denied)
            return fail(ErrorCode::policy_invalid,
                        fmt::format("rules[{}].process: {}", i, info.error().message),
                        info.error().remedy);
        if (!info || info->zombie)
            return fail(
                ErrorCode::policy_invalid,
                fmt::format("rules[{}].process: process {} is not running", i, rule.process),
                "name a running process");
        rule.process_start = info->start_time;
    }
    return {};
}

// Whether a program may have the memory to which the new policy would not give it.
bool RegionPolicies::pending_after(std::uint32_t slot, const Policy& policy) const {
    const auto& body = registry_.body(slot);
    if (body.arena != 0) return !policy.plain();
    if ((body.flags & kPolicyPending) != 0) return true;
    if (!access(slot).readable) return true;
    return !lifecycle_.untouched(slot) && !allows_as_much(policy, policy_of(slot));
}

Result<StoredPolicy> RegionPolicies::prepare(const Caller& caller, const RegionId& id,
                                             const std::string& json) {
    SHM_ASSIGN(const auto slot, usable(caller, id, Operation::manage));
    SHM_TRY(check_mappable(registry_, slot));
    SHM_ASSIGN(auto policy, parse_policy(json));
    SHM_TRY(pin(policy));
    const auto& body = registry_.body(slot);
    if (policy.require_encryption &&
        static_cast<SecurityLevel>(body.security_level) == SecurityLevel::standard)
        return fail(encryption_required("the policy"));
    if (!store_) return fail(no_store());
    const auto revision = (revision_of(body) + 1) & 0xFFFFU;
    return StoredPolicy{
        id, revision, policy, now(), caller.credentials.uid, caller.credentials.pid};
}

// Whatever a policy says.
bool RegionPolicies::always_audited(const SlotBody& body) const {
    return config_.audit_access ||
           static_cast<SecurityLevel>(body.security_level) == SecurityLevel::maximum;
}

// The row stands: now the slot says so, in one step with the event.
void RegionPolicies::publish(std::uint32_t slot, const Policy& policy, std::uint32_t revision,
                             const Credentials& by) {
    auto body = registry_.body(slot);
    const bool waits = pending_after(slot, policy);
    body.permission_owner = static_cast<std::uint8_t>(policy.permissions.owner);
    body.permission_group = static_cast<std::uint8_t>(policy.permissions.group);
    body.permission_other = static_cast<std::uint8_t>(policy.permissions.other);
    body.flags &= ~(kPolicyRevision | kPolicyPending);
    body.flags |= kHasPolicy | revision << 16 | (waits ? std::uint32_t{kPolicyPending} : 0);
    const bool was_audited = (body.flags & kAudited) != 0;
    const auto before = policies_.find(registry_.id(slot));
    if (policy.audit)
        body.flags |= kAudited;
    else if (before != policies_.end() && before->second.policy.audit && !always_audited(body))
        body.flags &= ~std::uint32_t{kAudited};
    auto word = registry_.control(slot);
    registry_.write_other_body(slot, body, word.generation);
    word.body ^= 1U;
    registry_.commit(
        slot, word,
        {.kind = EventKind::policy_changed, .pid = by.pid, .uid = by.uid, .text = summary(policy)});
    policies_.insert_or_assign(registry_.id(slot), Entry{policy, revision});
    synchronizer_.absorb(slot);  // the next lock is decided by the new policy
    // Who has it idle asks from now on, so that it is recorded.
    if (policy.audit && !was_audited && word.state == SlotState::live && !word.withdrawn)
        withdraw_idle(slot);
    // Of a durable one: what a reboot finds; the row decides there, too.
    if ((body.flags & kDurable) != 0)
        (void)allocator_.durable.save(registry_.fixed(slot), registry_.body(slot),
                                      registry_.metadata(slot), registry_.name(slot));
}

// One change of a region at a time: each revision follows the one that was published.
void RegionPolicies::set(const Caller& caller, const RegionId& id, const std::string& json,
                         Done done) {
    if (const auto before = changing_.find(id); before != changing_.end())
        return before->second.push_back([=, this] { set(caller, id, json, done); });
    auto row = refusals_.check(caller, "policy", id, prepare(caller, id, json));
    if (!row) return done(fail(std::move(row).error()));
    changing_[id];
    const auto saved = std::make_shared<Status>();
    state_.run_in_background([this, stored = *row, saved] { *saved = save(stored, true); },
                             [=, this, stored = *row] { finish(caller, stored, *saved, done); });
}

void RegionPolicies::finish(const Caller& caller, const StoredPolicy& row, const Status& saved,
                            const Done& done) {
    const auto& id = row.id;
    if (mover_.moving(id))
        return mover_.when_settled(id, [=, this] { finish(caller, row, saved, done); });
    const auto later = changing_.extract(id);
    const auto slot = find_region(registry_, id);
    if (!saved) {
        done(fail(refusals_.refuse(caller, saved.error(), "policy", id)));
    } else if (!slot) {  // it ended meanwhile
        state_.run_in_background([this, id] { (void)store_->remove(id); }, [] {});
        done(fail(slot.error()));
    } else {
        publish(*slot, row.policy, row.revision, {row.changed_by_pid, row.changed_by_uid, 0});
        come_into_effect(*slot, done);
    }
    for (const auto& next : later.mapped()) next();
}

void RegionPolicies::come_into_effect(std::uint32_t slot, const Done& done) {
    const auto id = registry_.id(slot);
    if (pending(slot)) {
        restrict(slot);
        lifecycle_.evaluate(slot, registry_.time());
    }
    // It may have ended while it moved: it was deallocated, or it was due.
    const auto answer = [this, id, done] {
        const auto there = find_region(registry_, id);
        if (!there) return done(fail(there.error()));
        done(to_json(report(*there)));
    };
    if (mover_.moving(id)) return mover_.when_settled(id, answer);
    answer();
}

// ------------------------------------------------------------ coming into effect

void RegionPolicies::withdraw_idle(std::uint32_t slot) {
    const auto before = registry_.control(slot);
    auto word = before;
    word.state = SlotState::retiring;
    registry_.store(slot, word);
    (void)counter_.reclaim(slot, word.generation);
    registry_.store(slot, before);
    lifecycle_.refresh(slot);
}

void RegionPolicies::restrict(std::uint32_t slot) {
    const auto word = registry_.control(slot);
    if (word.state != SlotState::live || word.withdrawn) return;
    withdraw_idle(slot);
    const auto region = access(slot);
    for (const auto& held : counter_.holders(slot, word.generation)) {
        const auto operation =
            held.access == AccessMode::read_write ? Operation::write : Operation::read;
        const auto who = holder(held.client, &region);
        const bool closed = !state_.security.decide(operation, who, region).allowed;
        counter_.close(held.client, slot, word.generation, closed);
    }
}

bool RegionPolicies::region_idle(std::uint32_t slot) {
    if (!pending(slot) || !mover_.movable(slot)) return false;
    return mover_.move(slot, allocator_.begin_dedicate(slot), "policy");
}

void RegionPolicies::region_held(std::uint32_t slot) {
    if (pending(slot)) restrict(slot);
}

}  // namespace snakepit::shm
