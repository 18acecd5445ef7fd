// SPDX-License-Identifier: MIT
#include "security/security_controller.h"

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

std::string_view verb(Operation operation) {
    switch (operation) {
        case Operation::write:
            return "write to";
        case Operation::manage:
            return "manage";
        default:
            return "read";
    }
}

Permission granted_to(const Credentials& who, const layout::SlotFixed& region,
                      const layout::SlotBody& policy) {
    if (who.uid == region.owner_uid) return static_cast<Permission>(policy.permission_owner);
    if (who.gid == region.owner_gid) return static_cast<Permission>(policy.permission_group);
    return static_cast<Permission>(policy.permission_other);
}

}  // namespace

Status SecurityController::check(const Credentials& who, Operation operation,
                                 const layout::SlotFixed& region,
                                 const layout::SlotBody& policy) const {
    bool allowed =
        administrator(who) && operation != Operation::read && operation != Operation::write;
    if (operation == Operation::manage) {
        allowed = allowed || who.uid == region.owner_uid;
    } else if (!allowed) {
        const auto needed =
            operation == Operation::write ? Permission::read_write : Permission::read_only;
        allowed = granted_to(who, region, policy) >= needed;
    }
    if (allowed) return {};
    const RegionId id{region.id_micros, region.id_random};
    auto error = make_error(ErrorCode::permission_denied,
                            fmt::format("user {} may not {} {}, which belongs to user {}", who.uid,
                                        verb(operation), id.str(), region.owner_uid),
                            "ask its owner for a wider permission");
    error.region_id = id.str();
    return fail(std::move(error));
}

}  // namespace snakepit::shm
