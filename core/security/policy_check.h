// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "security/policy_text.h"

namespace snakepit::shm {

struct PolicyFinding {
    std::string where;  // "rules[1].program"
    std::string problem;
    std::string remedy;
    bool matches_nobody = false;  // for as long as that is so, the rule gives nobody a right
};

// Finds parts of a policy that are legal but probably mistakes: names that do not exist, programs
// that are missing or that others can replace, rights for all users. Checks this host; `report`: of
// the region it is for, if any.
std::vector<PolicyFinding> check_policy(const Policy& policy, NameResolver& names,
                                        const PolicyReport* report = nullptr);

}  // namespace snakepit::shm
