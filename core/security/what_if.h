// SPDX-License-Identifier: MIT
// What a policy comes to for somebody, computed by whoever asks: the same decision as the
// manager's, on what `policy show` says.
#pragma once

#include <string>
#include <vector>

#include "security/policy_text.h"

namespace snakepit::shm {

struct WhatIf {
    Role role = Role::client;
    Verdict read, write, manage, look;
};
// `policy`: the report's own, or one that might be set instead. One that was not set yet shares no
// memory: it takes effect when the region has moved.
WhatIf what_if(const PolicyReport& report, const Policy& policy, const Subject& who,
               NameResolver& names);

// How a process that holds the region, or could open it now, would fare under another policy.
struct PolicyChange {
    PolicyClient client;
    WhatIf before, after;

    bool gains() const;
    bool loses() const;
    // It would lose what it has open: the new policy is in full effect only when it has given that
    // back.
    bool holds_more() const;
};
// Those for whom something changes.
std::vector<PolicyChange> what_changes(const PolicyReport& report, const Policy& proposed,
                                       NameResolver& names);

}  // namespace snakepit::shm
