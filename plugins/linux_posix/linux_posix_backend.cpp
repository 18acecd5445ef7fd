// SPDX-License-Identifier: MIT
#include "linux_posix/linux_posix_backend.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fmt/format.h>

#include "base/make_directory.h"
#include "base/units.h"
#include "linux_posix/segment_info.h"
#include "platform/memory_limit.h"
#include "platform/resource_error.h"
#include "platform/write_lease.h"

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kPage = 4096;

// Checks before removing: a file of our user, and the expected one.
Status check_ours(const Handle& file, const std::string& name, const std::string& path,
                  const FileIdentity& expected) {
    struct stat info {};
    if (::fstat(file.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat segment {}", name)));
    const FileIdentity identity{info.st_dev, info.st_ino};
    if (S_ISREG(info.st_mode) && info.st_uid == ::geteuid() &&
        (expected == FileIdentity{} || identity == expected))
        return {};
    return fail(ErrorCode::security_violation,
                fmt::format("segment {} is not the one that was made", name),
                fmt::format("check {} and remove it by hand if it is not needed", path));
}

tl::unexpected<Error> removal_failed(const std::string& name) {
    return fail(system_error(errno, fmt::format("cannot remove segment {}", name),
                             ErrorCode::cleanup_failed));
}

struct DirectoryCloser {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, DirectoryCloser>;

bool maps(const std::string& process, const FileIdentity& segment) {
    std::ifstream file(process + "/maps");
    const auto device = fmt::format("{:02x}:{:02x} {} ", major(segment.device),
                                    minor(segment.device), segment.inode);
    for (std::string line; std::getline(file, line);)
        if (line.find(device) != std::string::npos) return true;
    return false;
}

bool has_open(const std::string& process, const FileIdentity& segment) {
    const auto path = process + "/fd";
    const Directory directory(::opendir(path.c_str()));
    if (!directory) return false;
    while (const auto* entry = ::readdir(directory.get())) {
        struct stat info {};
        if (entry->d_name[0] != '.' &&
            ::stat(fmt::format("{}/{}", path, entry->d_name).c_str(), &info) == 0 &&
            FileIdentity{info.st_dev, info.st_ino} == segment)
            return true;
    }
    return false;
}

}  // namespace

Result<std::unique_ptr<PlatformBackend>> LinuxPosixBackend::create(const BackendOptions& options) {
    struct stat info {};
    if (::stat(options.shm_path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) ||
        ::access(options.shm_path.c_str(), W_OK | X_OK) != 0)
        return fail(
            ErrorCode::platform_error,
            fmt::format("{} is not a directory that this process can write to", options.shm_path),
            "mount a tmpfs there, or set shm_path in the configuration");
    std::unique_ptr<LinuxPosixBackend> backend(new LinuxPosixBackend(options));
    SHM_TRY(backend->memfds_.adopt());
    return backend;
}

Capabilities LinuxPosixBackend::capabilities() const {
    return {.named_segments = true,
            .handle_passing = true,
            .read_only_handles = true,
            .reserves_pages = true,
            .process_watch = true};
}

// Segment names begin with '/', as for shm_open(), and contain no other; or they begin with
// kDurablePrefix.
std::string LinuxPosixBackend::path_of(std::string_view name) const {
    if (name.starts_with(kDurablePrefix))
        return fmt::format("{}/{}", options_.durable_path, name.substr(kDurablePrefix.size()));
    return fmt::format("{}{}{}", options_.shm_path, name.starts_with('/') ? "" : "/", name);
}

Result<Segment> LinuxPosixBackend::create_segment(const std::string& name, std::uint64_t size,
                                                  Pages pages, SegmentUse use) {
    const auto bytes = (size + kPage - 1) / kPage * kPage;
    if (name.starts_with(kAnonymousPrefix)) return memfds_.create(name, bytes, pages, use);
    const auto path = path_of(name);
    const bool durable = name.starts_with(kDurablePrefix);
    if (durable) SHM_TRY(make_directory(options_.durable_path));
    Segment segment;
    segment.handle =
        Handle(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    const auto made = [&]() -> Status {
        if (!segment.handle)
            return fail(file_error(errno, fmt::format("cannot create segment {}", name), path,
                                   ErrorCode::allocation_failed));
        // The umask may have removed bits of the mode.
        if (::fchmod(segment.handle.get(), 0600) != 0 ||
            ::ftruncate(segment.handle.get(), static_cast<off_t>(bytes)) != 0)
            return fail(file_error(errno, fmt::format("cannot size segment {}", name), path,
                                   ErrorCode::allocation_failed));
        if (pages == Pages::reserved) SHM_TRY(reserve(segment.handle, 0, bytes));
        SHM_ASSIGN(segment.identity, identity_of(segment.handle));
        return {};
    }();
    if (!made) {
        if (segment.handle) ::unlink(path.c_str());
        return fail(durable ? made.error() : without_room(made.error(), bytes));
    }
    segment.size = bytes;
    return segment;
}

// Reports the free space of a full file system. Errors of control groups, quotas and inodes are
// specific already.
Error LinuxPosixBackend::without_room(Error error, std::uint64_t bytes) {
    if (error.system_error != ENOSPC) return error;
    const auto room = space();
    if (!room || room->free_files == 0) return error;
    error.message =
        fmt::format("{} has {} free of {}; {} requested", options_.shm_path,
                    format_size(room->free), format_size(room->total), format_size(bytes));
    return error;
}

// Only memory is limited by control groups: the blocks of a file on a disk are not.
Status LinuxPosixBackend::reserve(const Handle& segment, std::uint64_t offset, std::uint64_t size) {
    struct statfs system {};
    const bool known = ::fstatfs(segment.get(), &system) == 0;
    const bool memory = !known || system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC ||
                        system.f_type == HUGETLBFS_MAGIC;
    SHM_TRY(memory ? MemoryLimit::own().reserve(segment, offset, size)
                   : reserve_pages(segment, offset, size));
    struct stat info {};
    if (::fstat(segment.get(), &info) == 0 &&
        static_cast<std::uint64_t>(info.st_size) < offset + size)
        return fail(ErrorCode::corruption_detected, "the segment was truncated by another process",
                    "check which process writes to the shared-memory directory");
    return {};
}

// Truncating it to its size frees pages after the end, so that they are not counted for missing
// pages.
Status LinuxPosixBackend::check_reserved(const Handle& segment, std::uint64_t size) {
    struct stat info {};
    if (::fstat(segment.get(), &info) != 0)
        return fail(system_error(errno, "cannot stat a segment"));
    if (static_cast<std::uint64_t>(info.st_size) != size)
        return fail(ErrorCode::corruption_detected,
                    "the segment's size has changed since it was created");
    if (::ftruncate(segment.get(), info.st_size) != 0 || ::fstat(segment.get(), &info) != 0)
        return fail(system_error(errno, "cannot stat a segment"));
    if (static_cast<std::uint64_t>(info.st_blocks) * 512 < size)
        return fail(ErrorCode::no_space, "the program did not reserve the memory of its segment",
                    "use the same release of the client library and the manager");
    return {};
}

Status LinuxPosixBackend::discard(const Handle& segment, std::uint64_t offset, std::uint64_t size) {
    if (::fallocate(segment.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(offset), static_cast<off_t>(size)) != 0)
        return fail(system_error(errno, "cannot release memory"));
    return {};
}

Status LinuxPosixBackend::use_huge_pages(std::byte* data, std::uint64_t size) {
    // Since Linux 6.1 this works without any system setting; older headers do not define it.
    constexpr int kCollapse = 25;
    if (::madvise(data, size, kCollapse) == 0) return {};
    const auto reason = errno;
    std::ifstream file("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    std::string setting;
    std::getline(file, setting);
    return fail(
        ErrorCode::not_supported,
        fmt::format("huge pages are not available for shared memory: {} (shmem_enabled: {})",
                    std::strerror(reason), setting.empty() ? "file not found" : setting),
        "use Linux 6.1 or later, or set use_hugepages = false");
}

Status LinuxPosixBackend::set_read_only(const std::string& name, bool read_only) {
    if (name.starts_with(kAnonymousPrefix)) {
        if (read_only) return memfds_.seal(name);
        return fail(ErrorCode::not_supported, fmt::format("{} is sealed permanently", name));
    }
    const Handle file(::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file || ::fchmod(file.get(), read_only ? 0400 : 0600) != 0)
        return fail(system_error(errno, fmt::format("cannot change the mode of segment {}", name)));
    return {};
}

Result<Segment> LinuxPosixBackend::open_segment(const std::string& name, AccessMode access) {
    if (name.starts_with(kAnonymousPrefix)) return memfds_.open(name, access);
    const int mode = access == AccessMode::read_write ? O_RDWR : O_RDONLY;
    Segment segment;
    segment.handle = Handle(::open(path_of(name).c_str(), mode | O_CLOEXEC | O_NOFOLLOW));
    if (!segment.handle)
        return fail(system_error(errno, fmt::format("cannot open segment {}", name),
                                 ErrorCode::mapping_failed));
    struct stat info {};
    if (::fstat(segment.handle.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat segment {}", name)));
    segment.size = static_cast<std::uint64_t>(info.st_size);
    segment.identity = {info.st_dev, info.st_ino};
    return segment;
}

Status LinuxPosixBackend::remove_segment(const std::string& name, const FileIdentity& expected) {
    if (name.starts_with(kAnonymousPrefix)) return memfds_.remove(name, expected);
    // Only a segment known to be ours may be truncated while it is mapped. A directory of durable
    // regions belongs to us alone.
    if (expected == FileIdentity{} && !name.starts_with(kDurablePrefix))
        return remove_unused_segment(name, expected);
    const auto path = path_of(name);
    constexpr int kHow = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    Handle file(::open(path.c_str(), kHow));
    if (!file && errno == EACCES && set_read_only(name, false))  // it is sealed
        file.reset(::open(path.c_str(), kHow));
    if (!file) {
        if (errno == ENOENT) return {};
        return fail(system_error(errno, fmt::format("cannot open segment {}", name),
                                 ErrorCode::cleanup_failed));
    }
    SHM_TRY(check_ours(file, name, path, expected));
    // Idle clients may still map it; without this the pages would stay allocated until their next
    // call.
    if (::ftruncate(file.get(), 0) != 0 || (::unlink(path.c_str()) != 0 && errno != ENOENT))
        return removal_failed(name);
    return {};
}

Status LinuxPosixBackend::remove_unused_segment(const std::string& name,
                                                const FileIdentity& expected) {
    if (name.starts_with(kAnonymousPrefix)) return memfds_.remove(name, expected);
    const auto path = path_of(name);
    const auto in_use = [&] {
        return fail(ErrorCode::region_in_use,
                    fmt::format("segment {} is open or mapped somewhere", name));
    };
    const Handle file(
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (!file && errno == ENOENT) return {};
    if (!file && errno == EWOULDBLOCK) return in_use();  // another process holds a lease
    if (!file) return removal_failed(name);
    SHM_TRY(check_ours(file, name, path, expected));
    const auto lease = take_write_lease(file);
    if (lease == WriteLease::in_use) return in_use();
    if (lease == WriteLease::not_to_be_had) return removal_failed(name);
    SHM_ASSIGN(const auto identity, identity_of(file));
    SHM_ASSIGN(const auto named, inspect_segment(name));
    if (named.identity != identity || !write_lease_stands(file)) return in_use();
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return removal_failed(name);
    return {};
}

Result<SegmentInfo> LinuxPosixBackend::inspect_segment(const std::string& name) {
    if (name.starts_with(kAnonymousPrefix)) return memfds_.inspect(name);
    struct stat info {};
    if (::lstat(path_of(name).c_str(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat segment {}", name)));
    return describe(name, info);
}

Result<std::vector<SegmentInfo>> LinuxPosixBackend::list_segments(std::string_view prefix) {
    if (prefix.starts_with(kAnonymousPrefix)) return memfds_.list(prefix);
    const bool durable = prefix.starts_with(kDurablePrefix);
    const auto& path = durable ? options_.durable_path : options_.shm_path;
    std::vector<SegmentInfo> out;
    const Directory directory(::opendir(path.c_str()));
    if (!directory && durable && errno == ENOENT) return out;
    if (!directory) return fail(system_error(errno, fmt::format("cannot list {}", path)));
    while (const auto* entry = ::readdir(directory.get())) {
        auto name = fmt::format("{}{}", durable ? kDurablePrefix : "/", entry->d_name);
        struct stat info {};
        if (name.starts_with(prefix) &&
            ::fstatat(::dirfd(directory.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode))
            out.push_back(describe(std::move(name), info));
    }
    return out;
}

Result<SegmentSpace> LinuxPosixBackend::space() {
    struct statvfs info {};
    if (::statvfs(options_.shm_path.c_str(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat {}", options_.shm_path)));
    SegmentSpace space{info.f_blocks * info.f_frsize, info.f_bavail * info.f_frsize};
    if (info.f_files != 0) space.free_files = info.f_favail;
    return space;
}

Result<std::vector<std::int64_t>> LinuxPosixBackend::users_of(const FileIdentity& segment) {
    const Directory directory(::opendir("/proc"));
    if (!directory) return fail(system_error(errno, "cannot list processes"));
    std::vector<std::int64_t> out;
    while (const auto* entry = ::readdir(directory.get())) {
        const auto pid = std::strtoll(entry->d_name, nullptr, 10);
        if (pid <= 0) continue;
        const auto process = directory_of_living_thread(fmt::format("/proc/{}", pid));
        if (maps(process, segment) || has_open(process, segment)) out.push_back(pid);
    }
    return out;
}

}  // namespace snakepit::shm
