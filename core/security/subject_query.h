// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "security/security_controller.h"

namespace snakepit::shm {

// The subject of a query; empty members are unknown.
struct SubjectQuery {
    std::string user;          // by name or number, with the groups it logs in with
    std::string group;         // another one it is in
    std::string program;       // the one it runs
    std::int64_t process = 0;  // one that runs, for all of the above

    bool named() const {
        return !user.empty() || !group.empty() || !program.empty() || process != 0;
    }
};
// invalid_argument: unknown user, group or program; platform_error: unknown process.
Result<Subject> subject_of(const SubjectQuery& query, NameResolver& names);

}  // namespace snakepit::shm
