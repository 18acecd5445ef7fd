// SPDX-License-Identifier: MIT
#include "survey/linux/places.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::uint64_t kFirstPidNamespace = 0xEFFFFFFC;  // the kernel's number for the outermost
constexpr std::size_t kContainerId = 64;                  // hexadecimal digits
constexpr std::size_t kShownId = 12;

bool hexadecimal(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == text.npos;
}

// The 64 digits in one part of a control group's path: "docker-<id>.scope", "<id>", "cri-….scope".
std::string_view container_id(std::string_view part) {
    if (part.ends_with(".scope")) part.remove_suffix(6);
    if (const auto dash = part.rfind('-'); dash != part.npos) part.remove_prefix(dash + 1);
    return part.size() == kContainerId && hexadecimal(part) ? part : std::string_view();
}

// In another process's root, and never out of it: that root is somebody else's to arrange.
Handle open_in_root(int root, const char* path) {
    open_how how{};
    how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return Handle(static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how)));
}

bool in_memory(const Handle& directory) {
    struct statfs system {};
    return ::fstatfs(directory.get(), &system) == 0 &&
           (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC);
}

class Finder {
  public:
    Finder(const ProcessTable& table, Places& places) : table_(table), places_(places) {}

    void look() {
        const auto own_mount = namespace_of(table_.proc(), "self/ns/mnt");
        own_pid_ = namespace_of(table_.proc(), "self/ns/pid");
        places_.own_ipc_ns = namespace_of(table_.proc(), "self/ns/ipc");
        places_.outermost = own_pid_ == 0 || own_pid_ == kFirstPidNamespace;
        for (const auto& process : table_.processes()) {
            if (own_mount != 0 && fresh(process.mount_ns, own_mount, seen_mounts_))
                look_at_files(process);
            if (places_.own_ipc_ns != 0 && fresh(process.ipc_ns, places_.own_ipc_ns, seen_tables_))
                look_at_table(process);
        }
    }

  private:
    static bool fresh(std::uint64_t number, std::uint64_t own, std::vector<std::uint64_t>& seen) {
        if (number == 0 || number == own) return false;
        if (std::find(seen.begin(), seen.end(), number) != seen.end()) return false;
        seen.push_back(number);
        return true;
    }
    std::string under(const Process& process, const char* rest) const {
        return fmt::format("{}/{}", process.pid, rest);
    }
    void refuse(const Process& process, const char* what, int error) {
        places_.limits.push_back(fmt::format(
            "{} of the namespace of process {} ({}) cannot be seen: {}", what, process.pid,
            table_.name_of(process.pid), std::generic_category().message(error)));
    }
    void look_at_files(const Process& process);
    void look_at_table(const Process& process);

    const ProcessTable& table_;
    Places& places_;
    std::uint64_t own_pid_ = 0;
    std::vector<std::uint64_t> seen_mounts_, seen_tables_;
};

void Finder::look_at_files(const Process& process) {
    const Handle root(
        ::openat(table_.proc(), under(process, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    FilePlace place{.name_space = process.mount_ns};
    if (root) place.directory = open_in_root(root.get(), "dev/shm");
    struct stat info {};
    if (!place.directory || ::fstat(place.directory.get(), &info) != 0) {
        if (errno == EACCES || errno == EPERM) refuse(process, "the POSIX segments", errno);
        return;  // it has none, or ended meanwhile
    }
    // The process may have ended since it was listed, and its number be another's.
    if (namespace_of(table_.proc(), under(process, "ns/mnt").c_str()) != process.mount_ns) return;
    place.device = info.st_dev;
    if (place.device == places_.files.front().device)
        places_.foreign_pids =
            places_.foreign_pids ||
            namespace_of(table_.proc(), under(process, "ns/pid").c_str()) != own_pid_;
    const auto same = [&](const FilePlace& other) { return other.device == place.device; };
    if (!in_memory(place.directory) ||
        std::any_of(places_.files.begin(), places_.files.end(), same))
        return;
    place.container = container_of(table_, process.pid);
    places_.files.push_back(std::move(place));
}

void Finder::look_at_table(const Process& process) {
    TablePlace place{.name_space = process.ipc_ns};
    place.entrance =
        Handle(::openat(table_.proc(), under(process, "ns/ipc").c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!place.entrance || ::fstat(place.entrance.get(), &info) != 0 ||
        info.st_ino != process.ipc_ns) {
        if (errno == EACCES || errno == EPERM) refuse(process, "the System V segments", errno);
        return;
    }
    place.container = container_of(table_, process.pid);
    if (inside(place, [] {})) {
        places_.tables.push_back(std::move(place));
    } else {
        refuse(process, "the System V segments", errno);
    }
}

}  // namespace

bool inside(const TablePlace& place, const std::function<void()>& work) {
    if (!place.entrance) {
        work();
        return true;
    }
    int error = 0;
    try {
        std::thread([&] {
            if (::setns(place.entrance.get(), CLONE_NEWIPC) == 0) {
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

std::string container_of(const ProcessTable& table, std::int64_t pid) {
    const auto groups = read_file(table.proc(), fmt::format("{}/cgroup", pid).c_str()).value_or("");
    std::string_view rest(groups);
    std::string service;
    while (!rest.empty()) {
        const auto end = std::min(rest.find_first_of("/\n"), rest.size());
        const auto part = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (const auto id = container_id(part); !id.empty())
            return fmt::format("container {}", id.substr(0, kShownId));
        if (part.ends_with(".service")) service = part;
    }
    if (!service.empty()) return service;
    return fmt::format("process {} ({})", pid, table.name_of(pid));
}

Result<Places> find_places(const ProcessTable& table, const std::string& shm_path) {
    Places places;
    FilePlace own;
    own.directory = Handle(::open(shm_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (!own.directory || ::fstat(own.directory.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot look into {}", shm_path)));
    own.device = info.st_dev;
    own.in_memory = in_memory(own.directory);
    places.files.push_back(std::move(own));
    places.tables.push_back({});
    Finder(table, places).look();
    // /proc may be mounted so that only our own processes are there; the first one never ends.
    const auto& processes = table.processes();
    places.all_listed = std::any_of(processes.begin(), processes.end(),
                                    [](const Process& process) { return process.pid == 1; });
    if (!places.all_listed)
        places.limits.push_back(
            "other users' processes are hidden (hidepid): whether a creator "
            "is gone cannot be told");
    if (!places.outermost)
        places.limits.push_back(
            "this is a container's view: processes outside of it are not "
            "seen, and may share its segments");
    return places;
}

}  // namespace snakepit::shm::survey
