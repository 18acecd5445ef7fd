// SPDX-License-Identifier: MIT
// Policies as people write them and as the manager shows them: JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/policy.h"
#include "security/security_controller.h"

namespace snakepit::shm {

// policy_invalid names the place: "source:line:column" of a syntax error, the path of the member
// ("rules[1].user") otherwise.
Result<Policy> parse_policy(std::string_view text, std::string_view source = "the policy");

// A process that has the region open or is connected and might open it.
struct PolicyClient {
    Subject subject;
    std::string process;           // its name
    bool holds = false;            // it was granted the region
    std::uint64_t references = 0;  // it has to it now
    AccessMode access = AccessMode::read_only;
    std::string worker = {};  // its name for itself; empty: none
};

// The answer of `policy show`: all that is needed to compute decisions in another process.
struct PolicyReport {
    RegionId id;  // zero: the defaults
    Policy policy;
    bool own = false;      // it was set for this region
    bool readable = true;  // false: it was set, and is lost
    bool in_effect = true;
    std::string note;  // why it is not in effect
    std::uint32_t owner_uid = 0, owner_gid = 0;
    SecurityLevel level = SecurityLevel::standard;
    bool shares_memory = false;
    Roles roles;
    std::uint32_t service_uid = 0;
    // Whether the manager can see which programs other users run (CAP_SYS_PTRACE).
    bool sees_programs = true;
    std::vector<PolicyClient> clients;

    RegionAccess access() const {
        return {owner_uid, owner_gid, policy.permissions, &policy.rules, readable, shares_memory};
    }
};
std::string to_json(const PolicyReport& report);
Result<PolicyReport> parse_policy_report(std::string_view text);

}  // namespace snakepit::shm
