// SPDX-License-Identifier: MIT
#include "platform/file_system.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "platform/linux/kernel_text.h"

namespace snakepit::shm {

namespace {

// NS_GET_MNTNS_ID, since Linux 6.11; older headers do not have it.
constexpr unsigned long kNamespaceId = _IOR(0xb7, 0x5, std::uint64_t);
// The first mount namespace, which never ends: its inode before and since Linux 6.18.
constexpr ino_t kFirstNamespace = 0xF0000000, kFirstNamespaceNow = 0xEFFFFFF8;
// The maximum of file systems created to obtain a certain device number.
constexpr std::size_t kMostProbes = 256;

std::optional<FileSystemId> file_system_of(const Handle& file, std::uint64_t device) {
    struct statfs system {};
    if (::fstatfs(file.get(), &system) != 0) return std::nullopt;
    FileSystemId out{.device = device};
    static_assert(sizeof system.f_fsid == sizeof out.number);
    std::memcpy(&out.number, &system.f_fsid, sizeof out.number);
    out.in_memory = system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
    return out;
}

std::uint64_t device_of(const struct statx& info) {
    return makedev(info.stx_dev_major, info.stx_dev_minor);
}

struct MountPoint {
    std::string path, type;
};
// Empty if the table cannot be read.
std::optional<std::vector<MountPoint>> mounts_of(std::uint64_t device) {
    std::ifstream table("/proc/self/mountinfo");
    if (!table) return std::nullopt;
    const auto wanted = fmt::format("{}:{}", major(device), minor(device));
    std::vector<MountPoint> out;
    for (std::string line; std::getline(table, line);) {
        std::istringstream words(line);
        std::string number, parent, numbers, root, path, word, type;
        words >> number >> parent >> numbers >> root >> path;
        if (numbers != wanted) continue;
        while (words >> word && word != "-") {
        }
        words >> type;
        out.push_back({unescaped(path), type});
    }
    return table.eof() ? std::optional(std::move(out)) : std::nullopt;
}

// The file system with this device number in our namespace is a different one.
bool number_seen_elsewhere(const FileSystemId& system) {
    const auto mounts = mounts_of(system.device);
    if (!mounts) return false;
    for (const auto& mount : *mounts) {
        // Not for other kinds, because a network file system may block.
        if (mount.type.find("tmpfs") == std::string::npos && mount.type != "ramfs") return true;
        const auto there = open_directory(mount.path);
        if (there && there->id.system.device == system.device && system.number != 0)
            return there->id.system.number != system.number;
    }
    return false;
}

// A seccomp filter may kill a process for a forbidden call.
bool may_mount() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> data{};
    return ::syscall(SYS_capget, &header, data.data()) == 0 &&
           (data[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

// The kernel gives the lowest free number to a new file system without a device. A process that may
// create unseen file systems can determine in this way whether a number is free.
bool number_is_free(std::uint64_t device) {
    std::vector<Handle> made;
    if (!may_mount()) return false;
    while (made.size() < kMostProbes) {
        const Handle context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
        if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
            return false;
        Handle mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
        struct stat info {};
        if (!mount || ::fstat(mount.get(), &info) != 0) return false;
        if (info.st_dev == device) return true;
        if (info.st_dev > device) return false;
        made.push_back(std::move(mount));
    }
    return false;
}

}  // namespace

Result<OpenDirectory> open_directory(const std::string& path) {
    OpenDirectory out;
    out.handle = Handle(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!out.handle) {
        if (errno == ENOENT) return fail(ErrorCode::region_not_found, path + " does not exist");
        return fail(system_error(errno, fmt::format("cannot stat {}", path)));
    }
    struct statx info {};
    if (::statx(out.handle.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_BTIME,
                &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat {}", path)));
    const auto system = file_system_of(out.handle, device_of(info));
    if (!system) return fail(system_error(errno, fmt::format("cannot stat {}", path)));
    out.id = {*system, info.stx_ino, 0};
    if ((info.stx_mask & STATX_BTIME) != 0)
        out.id.born = info.stx_btime.tv_sec * 1'000'000'000 + info.stx_btime.tv_nsec;
    return out;
}

Result<std::string> read_head(const OpenDirectory& directory, const std::string& name,
                              std::size_t most) {
    struct stat info {};
    if (::fstatat(directory.handle.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return fail(ErrorCode::region_not_found, name + " does not exist");
        return fail(system_error(errno, fmt::format("cannot stat {}", name)));
    }
    if (!S_ISREG(info.st_mode))
        return fail(ErrorCode::platform_error, fmt::format("{} is not a regular file", name));
    const Handle file(::openat(directory.handle.get(), name.c_str(),
                               O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    std::string out(most, '\0');
    const auto got = file ? ::pread(file.get(), out.data(), out.size(), 0) : -1;
    if (got < 0) return fail(system_error(errno, fmt::format("cannot read {}", name)));
    out.resize(static_cast<std::size_t>(got));
    return out;
}

std::string view_of_paths() {
    const Handle space(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    struct stat info {
    }, root{};
    if (!space || ::fstat(space.get(), &info) != 0 || ::stat("/", &root) != 0) return {};
    std::uint64_t id = 0;
    if (::ioctl(space.get(), kNamespaceId, &id) != 0) {
        if (info.st_ino != kFirstNamespace && info.st_ino != kFirstNamespaceNow) return {};
        id = info.st_ino;
    }
    return fmt::format("{}/{}:{}", id, root.st_dev, root.st_ino);
}

std::optional<bool> mounted_here(std::uint64_t device) {
    const auto mounts = mounts_of(device);
    if (!mounts) return std::nullopt;
    return !mounts->empty();
}

bool file_system_gone(const FileSystemId& system) {
    return number_seen_elsewhere(system) || number_is_free(system.device);
}

}  // namespace snakepit::shm
