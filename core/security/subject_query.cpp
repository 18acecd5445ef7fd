// SPDX-License-Identifier: MIT
#include "security/subject_query.h"

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

Result<Subject> subject_of(const SubjectQuery& query, NameResolver& names) {
    Subject who;
    who.credentials = {0, kNoId, kNoId};
    if (query.process != 0) SHM_TRY(add_process(query.process, who));
    if (!query.user.empty()) {
        const auto uid = names.user(query.user);
        if (!uid) return unknown("user", query.user);
        who.credentials.uid = *uid;
        who.credentials.gid = kNoId;  // unless the system knows the user's
        who.groups = login_groups(*uid, who.credentials.gid);
    }
    if (!query.group.empty()) {
        const auto gid = names.group(query.group);
        if (!gid) return unknown("group", query.group);
        who.groups.push_back(*gid);
    }
    if (!query.program.empty()) {
        who.program = names.program(query.program);
        if (!who.program) return unknown("program", query.program);
    }
    return who;
}

}  // namespace snakepit::shm
