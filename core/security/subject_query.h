// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "security/security_controller.h"

namespace snakepit::shm {

// Somebody a person asks about; what is left empty is not known.
struct SubjectQuery {
    std::string user;          // by name or number, with the groups it logs in with
    std::string group;         // another one it is in
    std::string program;       // the one it runs
    std::int64_t process = 0;  // one that runs, for all of the above

    bool named() const {
        return !user.empty() || !group.empty() || !program.empty() || process != 0;
    }
};
// invalid_argument: there is no such user, group or program; platform_error: no such process.
Result<Subject> subject_of(const SubjectQuery& query, NameResolver& names);

}  // namespace snakepit::shm
