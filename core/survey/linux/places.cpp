// SPDX-License-Identifier: MIT
#include "survey/linux/places.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "survey/group_names.h"
#include "survey/linux/memory_mounts.h"
#include "survey/linux/proc_files.h"
#include "survey/origin.h"

namespace snakepit::shm::survey {

namespace {

// Inside another process's root, and never outside it: that process controls its root.
Handle open_in_root(int root, const char* path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return Handle(static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how)));
}

// Not in a user namespace, where other users have no ids. A system without user namespaces has no
// such file, but shows the process.
bool has_the_systems_users(int proc) {
    const auto map = read_file(proc, "self/uid_map");
    if (!map) return errno == ENOENT && shows_us(proc);
    std::string_view text(*map);
    const auto inside = take_number(text), outside = take_number(text), count = take_number(text);
    return inside == 0 && outside == 0 && count == 0xFFFFFFFF;
}

class PlaceFinder {
  public:
    PlaceFinder(ProcessTable& table, const MemoryMounts& mounts, Places& places)
        : table_(table), mounts_(mounts), places_(places) {}

    void look() {
        const auto own = table_.own_view();
        own_mount_ = own.mount_ns;
        places_.own_ipc_ns = namespace_of(table_.proc(), "self/ns/ipc");
        if (own.root_inode != 0) devices_[own] = places_.files.front().device;
        for (const auto& process : table_.processes()) {
            look_at_files(process);
            if (process.ipc_ns != 0 && process.ipc_ns != places_.own_ipc_ns &&
                seen_tables_.insert(process.ipc_ns).second)
                look_at_table(process);
        }
    }

  private:
    std::string under(const Process& process, const char* rest) const {
        return fmt::format("{}/{}", home_of(process), rest);
    }
    void refuse(const Process& process, const char* what, int error) {
        places_.limits.push_back(fmt::format(
            "The {} of the namespace of process {} ({}) cannot be seen: {}.", what, process.pid,
            table_.name_of(process.pid), std::generic_category().message(error)));
    }
    void look_at_files(const Process& process);
    // Its directory's device; 0: it has none of memory.
    std::uint64_t open_directory_of(const Process& process);
    void add_place(const Process& process, Handle directory, std::uint64_t device);
    void look_at_table(const Process& process);

    ProcessTable& table_;
    const MemoryMounts& mounts_;
    Places& places_;
    std::uint64_t own_mount_ = 0;
    std::map<View, std::uint64_t> devices_;
    std::set<std::uint64_t> seen_tables_;
};

// One process does not represent its namespace: its root may differ, or it may have ended
// meanwhile.
void PlaceFinder::look_at_files(const Process& process) {
    if (process.mount_ns == 0 || process.root_inode == 0) return;
    const auto view = view_of(process);
    auto known = devices_.find(view);
    if (known == devices_.end()) {
        const auto device = open_directory_of(process);
        // It may have ended since it was listed, and its pid may have been reused.
        if (namespace_of(table_.proc(), under(process, "ns/mnt").c_str()) != process.mount_ns)
            return;
        known = devices_.emplace(view, device).first;
    }
    if (known->second != 0) table_.share(known->second, process);
    // The same files may be at other places as well.
    const auto mounted = mounts_.views.find(view);
    if (mounted == mounts_.views.end()) return;
    for (const auto device : mounted->second)
        if (device != known->second) table_.share(device, process);
}

std::uint64_t PlaceFinder::open_directory_of(const Process& process) {
    const Handle root(
        ::openat(table_.proc(), under(process, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    auto directory = root ? open_in_root(root.get(), "dev/shm") : Handle();
    struct stat info {};
    if (!directory || ::fstat(directory.get(), &info) != 0) {
        if (errno == EACCES || errno == EPERM) refuse(process, "POSIX segments", errno);
        return 0;  // it has none, or ended meanwhile
    }
    const auto same = [&](const FilePlace& other) { return other.device == info.st_dev; };
    if (std::any_of(places_.files.begin(), places_.files.end(), same)) return info.st_dev;
    if (!in_memory(directory)) return 0;
    add_place(process, std::move(directory), info.st_dev);
    return info.st_dev;
}

void PlaceFinder::add_place(const Process& process, Handle directory, std::uint64_t device) {
    FilePlace place{.name_space = process.mount_ns};
    place.path = fmt::format("/proc/{}/root/dev/shm", process.pid);
    place.container = container_of(table_, process.pid);
    place.directory = std::move(directory);
    place.device = device;
    const bool other_root =
        std::any_of(places_.files.begin(), places_.files.end(),
                    [&](const FilePlace& other) { return other.name_space == place.name_space; });
    // Another root of a known namespace, or of our own.
    place.mark = other_root || place.name_space == own_mount_
                     ? fmt::format("@{}-{}:", place.name_space, device)
                     : fmt::format("@{}:", place.name_space);
    places_.files.push_back(std::move(place));
}

void PlaceFinder::look_at_table(const Process& process) {
    TablePlace place{.name_space = process.ipc_ns};
    place.entrance =
        Handle(::openat(table_.proc(), under(process, "ns/ipc").c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!place.entrance || ::fstat(place.entrance.get(), &info) != 0 ||
        info.st_ino != process.ipc_ns) {
        if (errno == EACCES || errno == EPERM) refuse(process, "System V segments", errno);
        return;
    }
    place.container = container_of(table_, process.pid);
    if (inside(place, [] {})) {
        places_.tables.push_back(std::move(place));
    } else {
        refuse(process, "System V segments", errno);
    }
}

}  // namespace

bool in_memory(const Handle& directory) {
    struct statfs system {};
    return ::fstatfs(directory.get(), &system) == 0 &&
           (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
}

bool inside(const std::function<bool()>& enter, const std::function<void()>& work) {
    int error = 0;
    try {
        std::thread([&] {
            if (enter()) {
                work();
            } else {
                error = errno;
            }
        }).join();
    } catch (const std::system_error& failure) {  // no more threads
        error = failure.code().value();
    }
    errno = error;
    return error == 0;
}

bool inside(const TablePlace& place, const std::function<void()>& work) {
    if (!place.entrance) {
        work();
        return true;
    }
    return inside([&] { return ::setns(place.entrance.get(), CLONE_NEWIPC) == 0; }, work);
}

std::string control_group_of(const ProcessTable& table, std::int64_t pid) {
    const auto groups = read_file(table.proc(), fmt::format("{}/cgroup", pid).c_str()).value_or("");
    const auto line = groups.substr(0, groups.find('\n'));
    const auto slash = line.rfind('/');
    return slash == std::string::npos ? std::string() : line.substr(slash + 1);
}

std::string container_of(const ProcessTable& table, std::int64_t pid) {
    const auto groups = read_file(table.proc(), fmt::format("{}/cgroup", pid).c_str()).value_or("");
    std::string service;
    for (std::string_view rest(groups); !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const auto parts = parts_of_group(line.substr(std::min(line.find('/'), line.size())));
        if (!parts.container.empty()) return fmt::format("container {}", parts.container);
        if (parts.unit.ends_with(".service")) service = parts.unit;
    }
    if (!service.empty()) return service;
    return fmt::format("process {} ({})", pid, table.name_of(pid));
}

Result<Places> find_places(ProcessTable& table, const MemoryMounts& mounts,
                           const std::string& shm_path) {
    Places places;
    FilePlace own{.path = shm_path};
    own.directory = Handle(::open(shm_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (!own.directory || ::fstat(own.directory.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot open the directory {}", shm_path)));
    own.device = info.st_dev;
    own.in_memory = in_memory(own.directory);
    places.files.push_back(std::move(own));
    places.tables.push_back({});
    PlaceFinder(table, mounts, places).look();
    const auto own_pids = namespace_of(table.proc(), "self/ns/pid");
    places.outermost = own_pids == kFirstPidNamespace && has_the_systems_users(table.proc());
    const bool foreign = !shows_us(table.proc());
    if (foreign)
        places.limits.push_back(
            "/proc belongs to another pid namespace and does not show this process: it is not "
            "known which processes exist. Enter the pid namespace too (nsenter --pid --mount).");
    else if (!table.all_listed())
        places.limits.push_back(
            "Other users' processes are hidden (/proc is mounted with hidepid): it is not known "
            "which creators have exited.");
    if (!places.outermost && !foreign)
        places.limits.push_back(
            "This is a container's view: processes outside it are not visible and may share its "
            "segments.");
    if (table.threads_left_out())
        places.limits.push_back(
            "There are too many threads: not all were checked for namespaces and users of their "
            "own.");
    return places;
}

}  // namespace snakepit::shm::survey
