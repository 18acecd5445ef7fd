// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/policy.h"
#include "base/result.h"
#include "platform/channel.h"
#include "platform/identity.h"
#include "security/name_resolver.h"

namespace snakepit::shm {

// Operations on a region.
enum class Operation : std::uint8_t {
    read,
    write,
    manage,  // deallocate it, seal it, change its policy
    look,    // find and list it
    tidy,    // clean it up, restore it, see its policy
};

// Operations on the manager as a whole.
enum class Privilege : std::uint8_t {
    see_all,        // other users' clients and statistics
    defragment,     //
    release_locks,  // from their holders
    configure,      // reload the configuration
    answer_alerts,  // acknowledge and silence them
};

enum class Role : std::uint8_t { client, operator_role, administrator };
std::string_view to_string(Role role);

// The process that makes a request, as the kernel identifies it. A missing member matches no
// condition.
struct Subject {
    Credentials credentials;
    std::vector<std::uint32_t> groups;  // supplementary
    std::int64_t start_time = 0;        // of the process; 0: unknown, or it has exited
    std::optional<Executable> program;

    bool in_group(std::uint32_t group) const;
};

// The properties of a region that decisions depend on.
struct RegionAccess {
    std::uint32_t owner_uid = 0, owner_gid = 0;
    PermissionSet permissions;
    const std::vector<PolicyRule>* rules = nullptr;
    // False: its policy cannot be read. Then no user has access.
    bool readable = true;
    // It is in memory that its owner's other regions share: no other user gets it, whatever its
    // policy.
    bool shares_memory = false;
};

enum class Source : std::uint8_t {
    nothing,     // no rule and no permission allows it
    permission,  // of the class `index`: 0 owner, 1 group, 2 other
    rule,        // number `index`
    owner,       // of the region
    role,
    policy_unreadable,  // refused
    shares_memory,      // refused until it has moved
};

struct Verdict {
    bool allowed = false;
    Source source = Source::nothing;
    std::uint32_t index = 0;
};
// "rules[2]", "permissions.group", "no permission and no rule allows it" …
std::string explain(const Verdict& verdict);

// Root, the service's user and the names: all that gives a role.
Role role_of(const Subject& who, const Roles& roles, std::uint32_t service_uid,
             NameResolver& names);
// The whole decision: a pure function.
Verdict decide(Operation operation, const Subject& who, Role role, const RegionAccess& region,
               NameResolver& names);
// Of the permissions' three classes, the one `who` is in.
std::uint32_t permission_class(const Subject& who, const RegionAccess& region);
// A rule depends on the program or the process.
bool needs_program(const RegionAccess& region);
bool needs_process(const RegionAccess& region);

// The quota of this user: its own entry, else the largest of its groups', else the default.
Quota quota_of(const Subject& who, const Quotas& quotas, NameResolver& names);

// The Security Controller: the one place that decides whether an operation is allowed, and why.
// Service thread only.
class SecurityController {
  public:
    // `service_uid`: the user the manager runs as; that user and root are administrators.
    explicit SecurityController(
        std::uint32_t service_uid,
        std::unique_ptr<NameResolver> names = std::make_unique<SystemNameResolver>())
        : service_uid_(service_uid), names_(std::move(names)) {}

    void configure(Roles roles) { roles_ = std::move(roles); }
    const Roles& roles() const { return roles_; }
    std::uint32_t service_uid() const { return service_uid_; }
    NameResolver& names() const { return *names_; }

    Role role(const Subject& who) const { return role_of(who, roles_, service_uid_, *names_); }
    Verdict decide(Operation operation, const Subject& who, const RegionAccess& region) const {
        return shm::decide(operation, who, role(who), region, *names_);
    }
    // permission_denied, with the region's owner and the reason named.
    Status check(Operation operation, const Subject& who, const RegionAccess& region,
                 const RegionId& id) const;
    bool may(Privilege privilege, const Subject& who) const;
    Status check(Privilege privilege, const Subject& who) const;

  private:
    std::uint32_t service_uid_;
    std::unique_ptr<NameResolver> names_;
    Roles roles_;
};

}  // namespace snakepit::shm
