// SPDX-License-Identifier: MIT
#include "security/security_controller.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

constexpr std::array<std::string_view, 3> kClasses{"owner", "group", "other"};

std::string_view verb(Operation operation) {
    switch (operation) {
        case Operation::write:
            return "write to";
        case Operation::manage:
            return "manage";
        case Operation::tidy:
            return "clean up";
        case Operation::look:
            return "see";
        case Operation::read:
            break;
    }
    return "read";
}

std::string_view deed(Privilege privilege) {
    switch (privilege) {
        case Privilege::see_all:
            return "see other users' clients";
        case Privilege::defragment:
            return "defragment";
        case Privilege::release_locks:
            return "release other processes' locks";
        case Privilege::answer_alerts:
            return "answer alerts";
        case Privilege::configure:
            break;
    }
    return "reload the configuration";
}

bool meets(const Subject& who, const PolicyRule& rule, NameResolver& names) {
    if (!rule.user.empty() && names.user(rule.user) != who.credentials.uid) return false;
    if (!rule.group.empty()) {
        const auto group = names.group(rule.group);
        if (!group || !who.in_group(*group)) return false;
    }
    if (rule.process != 0 && (rule.process != who.credentials.pid || who.start_time <= 0 ||
                              rule.process_start != who.start_time))
        return false;
    // Last, since it reads the file system.
    return rule.program.empty() || (who.program && names.program(rule.program) == who.program);
}

Verdict by_policy(Right right, const Subject& who, const RegionAccess& region,
                  NameResolver& names) {
    if (right != Right::manage) {
        const auto needed = right == Right::write ? Permission::read_write : Permission::read_only;
        const auto of = permission_class(who, region);
        const std::array<Permission, 3> given{region.permissions.owner, region.permissions.group,
                                              region.permissions.other};
        if (given[of] >= needed) return {true, Source::permission, of};
    }
    if (!region.rules) return {};
    for (std::uint32_t i = 0; i < region.rules->size(); ++i) {
        const auto& rule = (*region.rules)[i];
        if (rule.allow.has(right) && meets(who, rule, names)) return {true, Source::rule, i};
    }
    return {};
}

// Reading and writing the contents does not depend on roles.
Verdict contents(Right right, const Subject& who, const RegionAccess& region, NameResolver& names) {
    if (!region.readable) return {false, Source::policy_unreadable, 0};
    if (region.shares_memory && who.credentials.uid != region.owner_uid)
        return {false, Source::shares_memory, 0};
    return by_policy(right, who, region, names);
}

Verdict management(const Subject& who, Role role, const RegionAccess& region, NameResolver& names) {
    if (who.credentials.uid == region.owner_uid) return {true, Source::owner, 0};
    if (role == Role::administrator) return {true, Source::role, 0};
    if (!region.readable) return {false, Source::policy_unreadable, 0};
    return by_policy(Right::manage, who, region, names);
}

bool listed(const std::vector<std::string>& entries, const Subject& who, NameResolver& names) {
    return std::any_of(entries.begin(), entries.end(), [&](const std::string& entry) {
        if (!entry.starts_with('@')) return names.user(entry) == who.credentials.uid;
        const auto group = names.group(entry.substr(1));
        return group && who.in_group(*group);
    });
}

// The larger one; no limit is the largest.
template <typename T>
void raise(std::optional<T>& limit, const std::optional<T>& other) {
    if (!other) return;
    limit = !limit ? *other : *limit == 0 || *other == 0 ? T{0} : std::max(*limit, *other);
}

}  // namespace

std::string_view to_string(Role role) {
    switch (role) {
        case Role::administrator:
            return "administrator";
        case Role::operator_role:
            return "operator";
        case Role::client:
            break;
    }
    return "client";
}

bool Subject::in_group(std::uint32_t group) const {
    if (group == kNoId) return false;
    return credentials.gid == group ||
           std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::string explain(const Verdict& verdict) {
    switch (verdict.source) {
        case Source::permission:
            return fmt::format("permissions.{}", kClasses[verdict.index]);
        case Source::rule:
            return fmt::format("rules[{}]", verdict.index);
        case Source::owner:
            return "it is the region's owner";
        case Source::role:
            return "its role";
        case Source::policy_unreadable:
            return "the region's policy cannot be read";
        case Source::shares_memory:
            return "its memory is shared with its owner's regions until it has moved";
        case Source::nothing:
            break;
    }
    return "no permission and no rule allows it";
}

Role role_of(const Subject& who, const Roles& roles, std::uint32_t service_uid,
             NameResolver& names) {
    const auto uid = who.credentials.uid;
    if (uid == 0 || uid == service_uid || listed(roles.administrators, who, names))
        return Role::administrator;
    return listed(roles.operators, who, names) ? Role::operator_role : Role::client;
}

std::uint32_t permission_class(const Subject& who, const RegionAccess& region) {
    if (who.credentials.uid == region.owner_uid) return 0;
    return who.in_group(region.owner_gid) ? 1 : 2;
}

bool needs_program(const RegionAccess& region) {
    return region.rules && std::any_of(region.rules->begin(), region.rules->end(),
                                       [](const auto& rule) { return !rule.program.empty(); });
}

bool needs_process(const RegionAccess& region) {
    return region.rules && std::any_of(region.rules->begin(), region.rules->end(),
                                       [](const auto& rule) { return rule.process != 0; });
}

Verdict decide(Operation operation, const Subject& who, Role role, const RegionAccess& region,
               NameResolver& names) {
    switch (operation) {
        case Operation::read:
            return contents(Right::read, who, region, names);
        case Operation::write:
            return contents(Right::write, who, region, names);
        case Operation::manage:
            return management(who, role, region, names);
        case Operation::look:
        case Operation::tidy:
            break;
    }
    if (role != Role::client) return {true, Source::role, 0};
    const auto managed = management(who, role, region, names);
    if (managed.allowed || operation == Operation::tidy) return managed;
    return contents(Right::read, who, region, names);
}

Quota quota_of(const Subject& who, const Quotas& quotas, NameResolver& names) {
    Quota groups;
    bool in_one = false;
    const Quota* fallback = nullptr;
    for (const auto& [name, quota] : quotas) {
        if (name == "default") {
            fallback = &quota;
        } else if (!name.starts_with('@')) {
            if (names.user(name) == who.credentials.uid) return quota;
        } else if (const auto group = names.group(name.substr(1)); group && who.in_group(*group)) {
            raise(groups.max_regions, quota.max_regions);
            raise(groups.max_memory, quota.max_memory);
            in_one = true;
        }
    }
    return in_one ? groups : fallback ? *fallback : Quota{};
}

Status SecurityController::check(Operation operation, const Subject& who,
                                 const RegionAccess& region, const RegionId& id) const {
    const auto verdict = decide(operation, who, region);
    if (verdict.allowed) return {};
    auto error = make_error(
        ErrorCode::permission_denied,
        fmt::format("user {} may not {} {}, which belongs to user {}: {}", who.credentials.uid,
                    verb(operation), id.str(), region.owner_uid, explain(verdict)),
        verdict.source == Source::policy_unreadable
            ? "its owner or an administrator can set it with 'snakepit-shm policy set'"
            : "request permission from its owner");
    error.region_id = id.str();
    error.reason = explain(verdict);
    return fail(std::move(error));
}

bool SecurityController::may(Privilege privilege, const Subject& who) const {
    const auto needed =
        privilege == Privilege::configure ? Role::administrator : Role::operator_role;
    return role(who) >= needed;
}

Status SecurityController::check(Privilege privilege, const Subject& who) const {
    if (may(privilege, who)) return {};
    const bool configure = privilege == Privilege::configure;
    auto error = make_error(
        ErrorCode::permission_denied,
        fmt::format("user {} may not {}: only {} do", who.credentials.uid, deed(privilege),
                    configure ? "administrators" : "operators and administrators"),
        configure
            ? "ask one, or be named in [shared_memory.roles]"
            : "ask one of them, or add the user to [shared_memory.roles] of the configuration");
    error.reason = fmt::format("its role is {}", to_string(role(who)));
    return fail(std::move(error));
}

}  // namespace snakepit::shm
