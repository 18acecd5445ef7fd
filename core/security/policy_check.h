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
};

// What in a policy is legal and probably not meant: names nobody has, programs that are not there
// or that others can exchange, rights for everybody. Looks at this host; `report` says which region
// it is for, if it is for one.
std::vector<PolicyFinding> check_policy(const Policy& policy, NameResolver& names,
                                        const PolicyReport* report = nullptr);

}  // namespace snakepit::shm
