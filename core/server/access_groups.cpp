// SPDX-License-Identifier: MIT
#include "server/access_groups.h"

#include <grp.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

Result<std::optional<std::uint32_t>> group_of(std::string_view key, const std::string& name) {
    if (name.empty()) return std::nullopt;
    std::array<char, 16384> room;
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found) == 0 && found)
        return found->gr_gid;
    return fail(ErrorCode::configuration_invalid,
                fmt::format("{} names the group '{}', which does not exist", key, name),
                "make it with 'groupadd --system', or name another");
}

}  // namespace

Result<AccessGroups> find_access_groups(const Config& config) {
    AccessGroups access;
    SHM_ASSIGN(access.socket_group, group_of("socket_group", config.socket_group));
    SHM_ASSIGN(access.admin_group, group_of("admin_group", config.admin_group));
    access.socket_mode =
        static_cast<std::uint32_t>(std::strtoul(config.socket_mode.c_str(), nullptr, 8));
    return access;
}

}  // namespace snakepit::shm
