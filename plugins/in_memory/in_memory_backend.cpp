// SPDX-License-Identifier: MIT
#include "in_memory/in_memory_backend.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

namespace snakepit::shm {

Result<std::unique_ptr<PlatformBackend>> InMemoryBackend::create(const BackendOptions&) {
    return std::unique_ptr<PlatformBackend>(new InMemoryBackend);
}

Capabilities InMemoryBackend::capabilities() const {
    return {.named_segments = false,
            .handle_passing = true,
            .read_only_handles = true,
            .reserves_pages = true,
            .process_watch = false};
}

std::uint64_t InMemoryBackend::used() const {
    std::uint64_t sum = 0;
    for (const auto& [name, stored] : segments_) sum += stored.info.allocated;
    return sum;
}

// Simulates a full system by undoing reservations beyond `capacity`.
Status InMemoryBackend::reserve(const Handle& segment, std::uint64_t offset, std::uint64_t size) {
    SHM_TRY(reserve_pages(segment, offset, size));
    SHM_TRY(count_pages(segment));
    if (used() <= capacity) return {};
    SHM_TRY(discard(segment, offset, size));
    return fail(system_error(ENOSPC, "cannot reserve memory"));
}

Status InMemoryBackend::discard(const Handle& segment, std::uint64_t offset, std::uint64_t size) {
    if (::fallocate(segment.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(offset), static_cast<off_t>(size)) != 0)
        return fail(system_error(errno, "cannot release memory"));
    return count_pages(segment);
}

Status InMemoryBackend::count_pages(const Handle& segment) {
    struct stat info {};
    if (::fstat(segment.get(), &info) != 0) return fail(system_error(errno, "cannot stat it"));
    for (auto& [name, stored] : segments_)
        if (stored.info.identity == FileIdentity{info.st_dev, info.st_ino})
            stored.info.allocated = static_cast<std::uint64_t>(info.st_blocks) * 512;
    return {};
}

Status InMemoryBackend::set_read_only(const std::string& name, bool read_only) {
    const auto found = segments_.find(name);
    if (found == segments_.end()) return fail(system_error(ENOENT, "cannot change a segment"));
    found->second.info.mode = read_only ? 0400 : 0600;
    return {};
}

Status InMemoryBackend::use_huge_pages(std::byte*, std::uint64_t) {
    return fail(ErrorCode::not_supported, "simulated memory has no huge pages");
}

Result<Segment> InMemoryBackend::create_segment(const std::string& name, std::uint64_t size,
                                                Pages pages, SegmentUse) {
    const auto bytes = (size + 4095) / 4096 * 4096;
    if (segments_.contains(name))
        return fail(ErrorCode::allocation_failed, fmt::format("segment {} exists", name),
                    "choose another name");
    const auto taken = pages == Pages::reserved ? bytes : 0;
    if (used() + taken > capacity)
        return fail(system_error(ENOSPC, fmt::format("cannot create segment {}", name)));
    Stored stored;
    stored.file = Handle(::memfd_create(name.c_str() + 1, MFD_CLOEXEC));
    if (!stored.file || ::ftruncate(stored.file.get(), static_cast<off_t>(bytes)) != 0)
        return fail(
            system_error(errno, "cannot create an anonymous file", ErrorCode::allocation_failed));
    SHM_ASSIGN(const auto identity, identity_of(stored.file));
    stored.info = {name, bytes, taken, identity, ::geteuid(), 0600, now()};
    segments_.emplace(name, std::move(stored));
    return open_segment(name, AccessMode::read_write);
}

Result<Segment> InMemoryBackend::open_segment(const std::string& name, AccessMode access) {
    const auto found = segments_.find(name);
    if (found == segments_.end())
        return fail(system_error(ENOENT, fmt::format("cannot open segment {}", name),
                                 ErrorCode::mapping_failed));
    if (access == AccessMode::read_write && found->second.info.mode == 0400)
        return fail(system_error(EACCES, fmt::format("cannot open segment {}", name)));
    const auto path = fmt::format("/proc/self/fd/{}", found->second.file.get());
    Segment segment;
    segment.handle = Handle(
        ::open(path.c_str(), (access == AccessMode::read_write ? O_RDWR : O_RDONLY) | O_CLOEXEC));
    if (!segment.handle)
        return fail(system_error(errno, fmt::format("cannot open segment {}", name)));
    segment.size = found->second.info.size;
    segment.identity = found->second.info.identity;
    return segment;
}

Status InMemoryBackend::remove_segment(const std::string& name, const FileIdentity& expected) {
    const auto found = segments_.find(name);
    if (found == segments_.end()) return {};
    if (fail_removal)
        return fail(system_error(EACCES, fmt::format("cannot remove segment {}", name)));
    if (expected != FileIdentity{} && expected != found->second.info.identity)
        return fail(ErrorCode::security_violation,
                    fmt::format("segment {} is not the one that was made", name));
    segments_.erase(found);
    return {};
}

Status InMemoryBackend::forget_segment(const std::string& name) {
    segments_.erase(name);
    return {};
}

Result<SegmentInfo> InMemoryBackend::inspect_segment(const std::string& name) {
    const auto found = segments_.find(name);
    if (found == segments_.end())
        return fail(system_error(ENOENT, fmt::format("cannot stat segment {}", name)));
    return found->second.info;
}

Result<std::vector<SegmentInfo>> InMemoryBackend::list_segments(std::string_view prefix) {
    std::vector<SegmentInfo> out;
    for (const auto& [name, stored] : segments_)
        if (name.starts_with(prefix)) out.push_back(stored.info);
    return out;
}

Result<SegmentSpace> InMemoryBackend::space() {
    return SegmentSpace{capacity, capacity - used()};
}

Result<std::vector<std::int64_t>> InMemoryBackend::users_of(const FileIdentity& segment) {
    for (const auto& [name, stored] : segments_)
        if (stored.info.identity == segment && users.contains(name)) return users.at(name);
    return std::vector<std::int64_t>{};
}

Result<ProcessInfo> InMemoryBackend::process(std::int64_t pid) {
    if (const auto found = processes.find(pid); found != processes.end()) return found->second;
    return fail(ErrorCode::platform_error, fmt::format("process {} does not exist", pid));
}

Result<Handle> InMemoryBackend::watch(std::int64_t) {
    return fail(ErrorCode::not_supported, "simulated processes cannot be watched",
                "use linux_posix");
}

}  // namespace snakepit::shm
