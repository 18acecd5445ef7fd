// SPDX-License-Identifier: MIT
#include "in_memory/in_memory_backend.h"

#include <fcntl.h>
#include <sys/mman.h>
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
    for (const auto& [name, stored] : segments_) sum += stored.info.size;
    return sum;
}

Result<Segment> InMemoryBackend::create_segment(const std::string& name, std::uint64_t size) {
    const auto bytes = (size + 4095) / 4096 * 4096;
    if (segments_.contains(name))
        return fail(ErrorCode::allocation_failed, fmt::format("segment {} exists", name),
                    "choose another name");
    if (used() + bytes > capacity)
        return fail(system_error(ENOSPC, fmt::format("cannot make segment {}", name)));
    Stored stored;
    stored.file = Handle(::memfd_create(name.c_str() + 1, MFD_CLOEXEC));
    if (!stored.file || ::ftruncate(stored.file.get(), static_cast<off_t>(bytes)) != 0)
        return fail(
            system_error(errno, "cannot make an anonymous file", ErrorCode::allocation_failed));
    SHM_ASSIGN(const auto identity, identity_of(stored.file));
    stored.info = {name, bytes, bytes, identity, ::geteuid(), 0600, now()};
    segments_.emplace(name, std::move(stored));
    return open_segment(name, AccessMode::read_write);
}

Result<Segment> InMemoryBackend::open_segment(const std::string& name, AccessMode access) {
    const auto found = segments_.find(name);
    if (found == segments_.end())
        return fail(system_error(ENOENT, fmt::format("cannot open segment {}", name),
                                 ErrorCode::mapping_failed));
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

Result<SegmentInfo> InMemoryBackend::inspect_segment(const std::string& name) {
    const auto found = segments_.find(name);
    if (found == segments_.end())
        return fail(system_error(ENOENT, fmt::format("cannot look at segment {}", name)));
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
    return fail(ErrorCode::platform_error, fmt::format("there is no process {}", pid));
}

Result<Handle> InMemoryBackend::watch(std::int64_t) {
    return fail(ErrorCode::not_supported, "simulated processes cannot be watched",
                "use linux_posix");
}

}  // namespace snakepit::shm
