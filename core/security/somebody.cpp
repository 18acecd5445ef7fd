// SPDX-License-Identifier: MIT
#include "security/somebody.h"

#include <fmt/format.h>

#include "platform/identity.h"
#include "platform/process.h"

namespace snakepit::shm {

namespace {

Status add_process(std::int64_t pid, Subject& who) {
    SHM_ASSIGN(const auto info, inspect_process(pid));
    SHM_ASSIGN(const auto identity, identify_process(pid, info.start_time));
    who.credentials = {pid, info.uid, info.gid};
    who.groups = identity->groups();
    who.start_time = info.start_time;
    who.program = identity->program();
    return {};
}

tl::unexpected<Error> unknown(const char* what, const std::string& name) {
    return fail(ErrorCode::platform_error, fmt::format("unknown {} '{}'", what, name),
                "correct the name, or use the number");
}

}  // namespace

Result<Subject> subject_of(const Somebody& somebody, Names& names) {
    Subject who;
    who.credentials = {0, kNoId, kNoId};
    if (somebody.process != 0) SHM_TRY(add_process(somebody.process, who));
    if (!somebody.user.empty()) {
        const auto uid = names.user(somebody.user);
        if (!uid) return unknown("user", somebody.user);
        who.credentials.uid = *uid;
        who.credentials.gid = kNoId;  // unless the system knows the user's
        who.groups = login_groups(*uid, who.credentials.gid);
    }
    if (!somebody.group.empty()) {
        const auto gid = names.group(somebody.group);
        if (!gid) return unknown("group", somebody.group);
        who.groups.push_back(*gid);
    }
    if (!somebody.program.empty()) {
        who.program = names.program(somebody.program);
        if (!who.program) return unknown("program", somebody.program);
    }
    return who;
}

}  // namespace snakepit::shm
