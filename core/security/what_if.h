// SPDX-License-Identifier: MIT
// The decision of a policy about a subject, computed in the calling process from the answer of
// `policy show`: the same as the manager's.
#pragma once

#include <string>
#include <vector>

#include "security/policy_text.h"

namespace snakepit::shm {

struct WhatIf {
    Role role = Role::client;
    Verdict read, write, manage, look;
};
// `policy`: the report's own, or a proposed one. With a proposed one the region shares no memory:
// it takes effect when the region has moved.
WhatIf what_if(const PolicyReport& report, const Policy& policy, const Subject& who,
               NameResolver& names);

// The effect of another policy on a process that holds the region or could open it now.
struct PolicyChange {
    PolicyClient client;
    WhatIf before, after;

    bool gains() const;
    bool loses() const;
    // It would lose access that it has: the new policy is in full effect only when the process has
    // released the region.
    bool holds_more() const;
};
// Processes that are affected.
std::vector<PolicyChange> what_changes(const PolicyReport& report, const Policy& proposed,
                                       NameResolver& names);

}  // namespace snakepit::shm
