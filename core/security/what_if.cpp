// SPDX-License-Identifier: MIT
#include "security/what_if.h"

#include <array>

namespace snakepit::shm {

namespace {

template <typename Compare>
bool any(const WhatIf& a, const WhatIf& b, Compare compare) {
    const std::array<bool, 3> before{a.read.allowed, a.write.allowed, a.manage.allowed};
    const std::array<bool, 3> after{b.read.allowed, b.write.allowed, b.manage.allowed};
    for (std::size_t i = 0; i < before.size(); ++i)
        if (compare(before[i], after[i])) return true;
    return false;
}

}  // namespace

WhatIf what_if(const PolicyReport& report, const Policy& policy, const Subject& who,
               NameResolver& names) {
    auto region = report.access();
    region.permissions = policy.permissions;
    region.rules = &policy.rules;
    if (&policy != &report.policy) {
        region.readable = true;
        region.shares_memory = false;
    }
    const auto role = role_of(who, report.roles, report.service_uid, names);
    const auto ask = [&](Operation operation) {
        return decide(operation, who, role, region, names);
    };
    return {role, ask(Operation::read), ask(Operation::write), ask(Operation::manage),
            ask(Operation::look)};
}

bool PolicyChange::gains() const {
    return any(before, after, [](bool then, bool now) { return now && !then; });
}
bool PolicyChange::loses() const {
    return any(before, after, [](bool then, bool now) { return then && !now; });
}
bool PolicyChange::holds_more() const {
    if (!client.holds || client.references == 0) return false;
    return !(client.access == AccessMode::read_write ? after.write : after.read).allowed;
}

std::vector<PolicyChange> what_changes(const PolicyReport& report, const Policy& proposed,
                                       NameResolver& names) {
    std::vector<PolicyChange> out;
    for (const auto& client : report.clients) {
        PolicyChange change{client, what_if(report, report.policy, client.subject, names),
                            what_if(report, proposed, client.subject, names)};
        if (change.gains() || change.loses() || change.holds_more())
            out.push_back(std::move(change));
    }
    return out;
}

}  // namespace snakepit::shm
