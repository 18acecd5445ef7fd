// SPDX-License-Identifier: MIT
#include "security/name_resolver.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <vector>

namespace snakepit::shm {

namespace {

constexpr auto kRemembered = std::chrono::seconds(5);
constexpr std::size_t kMostRemembered = 1000;
constexpr std::size_t kEntryBytes = std::size_t{64} * 1024;  // of a group with many members

std::optional<std::uint32_t> id_number(const std::string& text) {
    std::uint32_t value = 0;
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    // The highest one means "none" to the system.
    if (read.ec != std::errc() || read.ptr != end || value == ~0U) return std::nullopt;
    return value;
}

std::optional<passwd> entry_of(const std::string& name, std::vector<char>& room) {
    room.resize(kEntryBytes);
    passwd entry{};
    passwd* found = nullptr;
    ::getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
    return found ? std::optional(entry) : std::nullopt;
}

std::optional<passwd> entry_of(std::uint32_t uid, std::vector<char>& room) {
    room.resize(kEntryBytes);
    passwd entry{};
    passwd* found = nullptr;
    ::getpwuid_r(uid, &entry, room.data(), room.size(), &found);
    return found ? std::optional(entry) : std::nullopt;
}

}  // namespace

template <typename LookUp>
std::optional<std::uint32_t> SystemNameResolver::remembered(Known& known, const std::string& name,
                                                            LookUp look_up) {
    if (const auto value = id_number(name)) return value;
    const auto at = Clock::now();
    if (const auto found = known.find(name);
        found != known.end() && at - found->second.second < kRemembered)
        return found->second.first;
    if (known.size() >= kMostRemembered) known.clear();
    const std::optional<std::uint32_t> value = look_up();
    known.insert_or_assign(name, std::pair(value, at));
    return value;
}

std::optional<std::uint32_t> SystemNameResolver::user(const std::string& name) {
    return remembered(users_, name, [&]() -> std::optional<std::uint32_t> {
        std::vector<char> room;
        const auto entry = entry_of(name, room);
        return entry ? std::optional<std::uint32_t>(entry->pw_uid) : std::nullopt;
    });
}

std::optional<std::uint32_t> SystemNameResolver::group(const std::string& name) {
    return remembered(groups_, name, [&]() -> std::optional<std::uint32_t> {
        std::vector<char> room(kEntryBytes);
        ::group entry{};
        ::group* found = nullptr;
        ::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
        return found ? std::optional<std::uint32_t>(entry.gr_gid) : std::nullopt;
    });
}

std::optional<Executable> SystemNameResolver::program(const std::string& path) {
    return executable_at(path);
}

std::string user_name(std::uint32_t uid) {
    std::vector<char> room;
    const auto entry = entry_of(uid, room);
    return entry ? entry->pw_name : std::to_string(uid);
}

std::string group_name(std::uint32_t gid) {
    std::vector<char> room(kEntryBytes);
    ::group entry{};
    ::group* found = nullptr;
    ::getgrgid_r(gid, &entry, room.data(), room.size(), &found);
    return found ? found->gr_name : std::to_string(gid);
}

std::vector<std::uint32_t> login_groups(std::uint32_t uid, std::uint32_t& primary) {
    std::vector<char> room;
    const auto entry = entry_of(uid, room);
    if (!entry) return {};
    primary = entry->pw_gid;
    int count = 64;
    std::vector<gid_t> groups(static_cast<std::size_t>(count));
    if (::getgrouplist(entry->pw_name, entry->pw_gid, groups.data(), &count) < 0) {
        groups.resize(static_cast<std::size_t>(count));
        ::getgrouplist(entry->pw_name, entry->pw_gid, groups.data(), &count);
    }
    groups.resize(static_cast<std::size_t>(count));
    return {groups.begin(), groups.end()};
}

}  // namespace snakepit::shm
