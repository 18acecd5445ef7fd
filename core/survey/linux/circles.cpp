// SPDX-License-Identifier: MIT
#include "survey/linux/circles.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::uint64_t kRootGroup = 1;  // the inode of the outermost directory
// Below the root of the hierarchy; empty for the root itself and for what is outside.
std::string below(const std::string& path) {
    if (path.size() < 2 || path.front() != '/' || path.starts_with("/..")) return {};
    return path.substr(1);
}

}  // namespace

GroupTree GroupTree::open() {
    GroupTree out;
    for (const auto* place : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        Handle root(::open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct statfs system {};
        struct stat info {};
        if (!root || ::fstatfs(root.get(), &system) != 0 || system.f_type != CGROUP2_SUPER_MAGIC ||
            ::fstat(root.get(), &info) != 0 || info.st_ino != kRootGroup)
            continue;
        out.root_ = std::move(root);
        break;
    }
    return out;
}

std::uint64_t GroupTree::id_of(const std::string& path) const {
    const auto rest = below(path);
    struct stat info {};
    return valid() && !rest.empty() && ::fstatat(root_.get(), rest.c_str(), &info, 0) == 0
               ? info.st_ino
               : 0;
}

Answer GroupTree::is_empty(const std::string& path, std::uint64_t id) const {
    // The kernel's mark for a group that was removed while a process in it was not yet reaped.
    constexpr std::string_view kRemoved = " (deleted)";
    const auto rest = below(path);
    if (id == 0 && !rest.empty() && path.ends_with(kRemoved)) return Answer::yes;
    if (!valid() || rest.empty() || id == 0) return Answer::not_told;
    const Handle group(::openat(root_.get(), rest.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    // Only a group without processes can be removed, and groups are never renamed.
    if (!group) return errno == ENOENT ? Answer::yes : Answer::not_told;
    if (::fstat(group.get(), &info) != 0) return Answer::not_told;
    if (info.st_ino != id) return Answer::yes;
    const auto events = read_file(group.get(), "cgroup.events");
    if (!events) return errno == ENOENT || errno == ENODEV ? Answer::yes : Answer::not_told;
    if (events->find("populated 0") != std::string::npos) return Answer::yes;
    return events->find("populated 1") != std::string::npos ? Answer::no : Answer::not_told;
}

std::string group_in(std::string_view groups) {
    constexpr std::string_view kVersion2 = "0::";
    while (!groups.empty()) {
        const auto line = groups.substr(0, groups.find('\n'));
        if (line.starts_with(kVersion2)) return std::string(line.substr(kVersion2.size()));
        groups.remove_prefix(std::min(line.size() + 1, groups.size()));
    }
    return {};
}

Answer circle_ended(const RecordedProcess& process, const GroupTree& groups,
                    const ProcessTable& table) {
    const auto group = groups.is_empty(process.cgroup, process.cgroup_id);
    if (group == Answer::yes) return group;
    // A namespace ends with its first process, and takes all others and those below it with it.
    const auto inside = process.pid_namespace;
    if (inside == 0 || inside == kFirstPidNamespace) return group;
    bool all_told = table.all_listed();
    for (const auto& one : table.processes()) {
        if (one.pid_ns == inside) return Answer::no;
        // The first process is in our own namespace, whatever cannot be read of it. One that has
        // ended is in none.
        all_told =
            all_told && (one.pid_ns != 0 || one.pid == 1 || table.find(one.pid).life == Life::gone);
    }
    return all_told ? Answer::yes : group;
}

}  // namespace snakepit::shm::survey
