// SPDX-License-Identifier: MIT
#include "macos_mach/macos_mach_backend.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kPage = 16384;  // of processors by Apple; a multiple of Intel's

// Microseconds after which a record without memory is what a killed process left.
constexpr std::int64_t kUnfinished = 60'000'000;

bool nameless(std::string_view name) {
    return name.starts_with(kAnonymousPrefix);
}

Error mach_error(int number, std::string_view what,
                 ErrorCode fallback = ErrorCode::platform_error) {
    auto error = make_error(fallback, fmt::format("{}: Mach error {}", what, number));
    if (number == kMachProtection || number == kMachInvalidRight) {
        error.code = ErrorCode::permission_denied;
        error.message = fmt::format("{}: the handle does not have this right", what);
    } else if (number == kMachNoSpace || number == kMachShortage) {
        error.code = ErrorCode::no_space;
        error.message = fmt::format("{}: the system has no memory or address space left", what);
        error.remedy = "end programs that use much memory, or request less";
    }
    return error;
}

tl::unexpected<Error> missing(const std::string& name) {
    return fail(system_error(ENOENT, fmt::format("cannot open segment {}", name),
                             ErrorCode::mapping_failed));
}

tl::unexpected<Error> exists(const std::string& name) {
    return fail(ErrorCode::allocation_failed, fmt::format("segment {} exists", name),
                "choose another name");
}

tl::unexpected<Error> not_the_one(const std::string& name) {
    return fail(ErrorCode::security_violation,
                fmt::format("segment {} is not the one that was made", name));
}

}  // namespace

// FNV-1a. A collision is noticed when the segment is created: its name is taken.
std::string shared_name(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return fmt::format("/snakepit-{:016x}", hash);
}

Result<std::unique_ptr<PlatformBackend>> MacosMachBackend::create(
    const BackendOptions& options, std::unique_ptr<MachSystem> system) {
    auto directory = options.shm_path;
    if (const int failed = system->make_directory(directory); failed != 0)
        return fail(system_error(failed, fmt::format("cannot use the directory {}", directory)));
    return std::unique_ptr<PlatformBackend>(
        new MacosMachBackend(std::move(directory), std::move(system)));
}

Capabilities MacosMachBackend::capabilities() const {
    return {.named_segments = true,
            .handle_passing = true,
            .read_only_handles = true,
            .reserves_pages = false,
            .process_watch = true};
}

Result<std::string> MacosMachBackend::record_path(const std::string& name) const {
    if (name.starts_with(kDurablePrefix))
        return fail(ErrorCode::not_supported, "durable segments are not supported on macOS",
                    "allocate the region without 'durable'");
    const auto bare = std::string_view(name).substr(name.starts_with('/') ? 1 : 0);
    if (bare.empty() || bare.front() == '.' || bare.find('/') != bare.npos)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' cannot be the name of a segment", name));
    return fmt::format("{}/{}", directory_, bare);
}

Result<SegmentRecord> MacosMachBackend::record_of(const std::string& name) {
    SHM_ASSIGN(const auto path, record_path(name));
    SegmentRecord record;
    const int failed = system_->read_record(path, record);
    if (failed == ENOENT) return missing(name);
    if (failed != 0)
        return fail(system_error(failed, fmt::format("cannot read the record of {}", name)));
    return record;
}

Result<Segment> MacosMachBackend::create_segment(const std::string& name, std::uint64_t size, Pages,
                                                 SegmentUse use) {
    const auto bytes = (size + kPage - 1) / kPage * kPage;
    SHM_ASSIGN(const auto room, space());
    if (bytes > room.total)
        return fail(
            ErrorCode::no_space,
            fmt::format("the system has {} bytes of memory; {} requested", room.total, bytes));
    return nameless(name) ? create_entry(name, bytes, use) : create_named(name, bytes);
}

Result<Segment> MacosMachBackend::create_entry(const std::string& name, std::uint64_t size,
                                               SegmentUse use) {
    const std::lock_guard lock(mutex_);
    if (entries_.contains(name)) return exists(name);
    Entry entry;
    const auto what = fmt::format("cannot create segment {}", name);
    if (const int failed = system_->make_entry(size, true, nullptr, entry.handle); failed != 0)
        return fail(mach_error(failed, what, ErrorCode::allocation_failed));
    Segment segment;
    if (const int failed = system_->make_entry(size, true, &entry.handle, segment.handle);
        failed != 0)
        return fail(mach_error(failed, what, ErrorCode::allocation_failed));
    segment.size = entry.size = size;
    segment.identity = entry.identity = system_->entry_identity(entry.handle);
    entry.use = use;
    entry.created = now();
    entries_.emplace(name, std::move(entry));
    return segment;
}

// The record comes first: killed in between, a record without memory is left, which a later
// listing removes.
Result<Segment> MacosMachBackend::create_named(const std::string& name, std::uint64_t size) {
    SHM_ASSIGN(const auto path, record_path(name));
    const auto what = fmt::format("cannot create segment {}", name);
    if (const int failed = system_->create_record(path); failed != 0) {
        if (failed == EEXIST) return exists(name);
        return fail(system_error(failed, what, ErrorCode::allocation_failed));
    }
    Segment segment;
    segment.size = size;
    if (const int failed = system_->create_shared(shared_name(name), size, segment.handle);
        failed != 0) {
        (void)system_->remove_record(path);
        if (failed == EEXIST) return exists(name);
        return fail(system_error(failed, what, ErrorCode::allocation_failed));
    }
    const auto record = record_of(name);
    if (!record) {
        (void)remove_named(name);
        return fail(record.error());
    }
    segment.identity = record->identity;
    return segment;
}

// The system gives memory when it is first used, and pages it out rather than failing.
Status MacosMachBackend::reserve(const Handle&, std::uint64_t, std::uint64_t) {
    return {};
}

// Whole pages of POSIX shared memory cannot be given back, so they are overwritten.
Status MacosMachBackend::discard(const Handle& segment, std::uint64_t offset, std::uint64_t size) {
    std::byte* data = nullptr;
    const auto mapped = offset + size;
    if (const int failed = system_->map(segment, mapped, true, data); failed != 0)
        return fail(mach_error(failed, "cannot release memory"));
    std::memset(data + offset, 0, static_cast<std::size_t>(size));
    if (const int failed = system_->unmap(data, mapped); failed != 0)
        return fail(mach_error(failed, "cannot unmap memory"));
    return {};
}

Status MacosMachBackend::use_huge_pages(std::byte*, std::uint64_t) {
    return fail(ErrorCode::not_supported, "macOS has no huge pages for shared memory",
                "set use_hugepages = false");
}

// A port with fewer rights takes the place of ours, which is the only way to the memory.
Status MacosMachBackend::seal_entry(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return missing(name);
    auto& entry = found->second;
    if (entry.use != SegmentUse::to_be_sealed)
        return fail(ErrorCode::not_supported,
                    fmt::format("segment {} was not created to be sealed", name));
    Handle reader;
    if (const int failed = system_->make_entry(entry.size, false, &entry.handle, reader);
        failed != 0)
        return fail(mach_error(failed, fmt::format("cannot seal segment {}", name)));
    entry.handle = std::move(reader);
    entry.sealed = true;
    return {};
}

Status MacosMachBackend::set_read_only(const std::string& name, bool read_only) {
    if (nameless(name)) {
        if (read_only) return seal_entry(name);
        return fail(ErrorCode::not_supported, fmt::format("{} is sealed permanently", name));
    }
    SHM_ASSIGN(const auto path, record_path(name));
    const int failed = system_->change_record(path, read_only ? 0400 : 0600);
    if (failed == ENOENT) return missing(name);
    if (failed != 0)
        return fail(system_error(failed, fmt::format("cannot change segment {}", name)));
    return {};
}

Result<Segment> MacosMachBackend::open_entry(const std::string& name, AccessMode access) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return missing(name);
    const auto& entry = found->second;
    Segment segment;
    segment.size = entry.size;
    segment.identity = entry.identity;
    if (const int failed = system_->make_entry(entry.size, access == AccessMode::read_write,
                                               &entry.handle, segment.handle);
        failed != 0)
        return fail(mach_error(failed, fmt::format("cannot open segment {}", name),
                               ErrorCode::mapping_failed));
    return segment;
}

Result<Segment> MacosMachBackend::open_segment(const std::string& name, AccessMode access) {
    if (nameless(name)) return open_entry(name, access);
    SHM_ASSIGN(const auto record, record_of(name));
    const bool writable = access == AccessMode::read_write;
    if (writable && (record.mode & 0200) == 0)
        return fail(ErrorCode::permission_denied, fmt::format("segment {} is read-only", name));
    Segment segment;
    segment.identity = record.identity;
    if (const int failed =
            system_->open_shared(shared_name(name), writable, segment.handle, segment.size);
        failed != 0)
        return fail(system_error(failed, fmt::format("cannot open segment {}", name),
                                 ErrorCode::mapping_failed));
    return segment;
}

Status MacosMachBackend::check_identity(const std::string& name, const FileIdentity& expected) {
    SHM_ASSIGN(const auto record, record_of(name));
    if (expected == FileIdentity{} || record.identity == expected) return {};
    return not_the_one(name);
}

// The memory first: a record that is left without any is removed by a later listing.
Status MacosMachBackend::remove_named(const std::string& name) {
    SHM_ASSIGN(const auto path, record_path(name));
    const auto failure = [&](int failed) {
        return fail(system_error(failed, fmt::format("cannot remove segment {}", name),
                                 ErrorCode::cleanup_failed));
    };
    if (const int failed = system_->remove_shared(shared_name(name));
        failed != 0 && failed != ENOENT)
        return failure(failed);
    if (const int failed = system_->remove_record(path); failed != 0 && failed != ENOENT)
        return failure(failed);
    return {};
}

Status MacosMachBackend::remove_entry(const std::string& name, const FileIdentity& expected) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return {};
    if (expected != FileIdentity{} && expected != found->second.identity) return not_the_one(name);
    entries_.erase(found);
    return {};
}

// The memory goes with its last mapping and handle; its name goes at once.
Status MacosMachBackend::remove_segment(const std::string& name, const FileIdentity& expected) {
    if (nameless(name)) return remove_entry(name, expected);
    const auto checked = check_identity(name, expected);
    if (!checked && checked.error().system_error == ENOENT) return {};
    SHM_TRY(checked);
    return remove_named(name);
}

// Removing the name takes no memory from a process that only maps it, which the system does not
// show.
Status MacosMachBackend::remove_unused_segment(const std::string& name,
                                               const FileIdentity& expected) {
    if (!nameless(name)) {
        std::vector<std::int64_t> pids;
        if (const int failed = system_->users(shared_name(name), pids); failed != 0)
            return fail(system_error(failed, fmt::format("cannot check the users of {}", name),
                                     ErrorCode::cleanup_failed));
        if (!pids.empty())
            return fail(ErrorCode::region_in_use,
                        fmt::format("segment {} is open in process {}", name, pids.front()));
    }
    return remove_segment(name, expected);
}

Status MacosMachBackend::forget_segment(const std::string& name) {
    return remove_entry(name, {});
}

Result<std::uint64_t> MacosMachBackend::resident(const Segment& segment) {
    std::byte* data = nullptr;
    if (const int failed = system_->map(segment.handle, segment.size, false, data); failed != 0)
        return fail(mach_error(failed, "cannot inspect a segment"));
    std::uint64_t bytes = 0;
    const int failed = system_->resident(data, segment.size, bytes);
    const int unmapped = system_->unmap(data, segment.size);
    if (failed != 0 || unmapped != 0)
        return fail(mach_error(failed != 0 ? failed : unmapped, "cannot inspect a segment"));
    return bytes;
}

Result<SegmentInfo> MacosMachBackend::inspect_entry(const std::string& name) {
    SHM_ASSIGN(const auto segment, open_segment(name, AccessMode::read_only));
    SegmentInfo info{name, segment.size, 0, segment.identity, ::geteuid(), 0600, {}};
    SHM_ASSIGN(info.allocated, resident(segment));
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return missing(name);
    info.modified = found->second.created;
    if (found->second.sealed) info.mode = 0400;
    return info;
}

Result<SegmentInfo> MacosMachBackend::inspect_segment(const std::string& name) {
    if (nameless(name)) return inspect_entry(name);
    SHM_ASSIGN(const auto record, record_of(name));
    SHM_ASSIGN(const auto segment, open_segment(name, AccessMode::read_only));
    SegmentInfo info{name,        segment.size,   0, record.identity, record.uid,
                     record.mode, record.modified};
    SHM_ASSIGN(info.allocated, resident(segment));
    return info;
}

Result<std::vector<SegmentInfo>> MacosMachBackend::list_segments(std::string_view prefix) {
    std::vector<std::string> names;
    if (nameless(prefix)) {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, entry] : entries_) names.push_back(name);
    } else {
        if (const int failed = system_->list_records(directory_, names); failed != 0)
            return fail(system_error(failed, fmt::format("cannot list {}", directory_)));
        for (auto& name : names) name.insert(0, 1, '/');
    }
    std::vector<SegmentInfo> out;
    for (const auto& name : names) {
        if (!name.starts_with(prefix)) continue;
        auto info = inspect_segment(name);
        if (info) {
            out.push_back(std::move(*info));
        } else if (info.error().system_error != ENOENT) {
            return fail(info.error());
        } else if (const auto record = record_of(name);
                   record && now().micros - record->modified.micros > kUnfinished) {
            SHM_TRY(remove_named(name));
        }
    }
    return out;
}

Result<SegmentSpace> MacosMachBackend::space() {
    SegmentSpace space;
    if (const int failed = system_->memory(space.total, space.free); failed != 0)
        return fail(mach_error(failed, "cannot read the system's memory"));
    return space;
}

Result<std::vector<std::int64_t>> MacosMachBackend::users_of(const FileIdentity& segment) {
    std::vector<std::int64_t> pids;
    SHM_ASSIGN(const auto all, list_segments("/"));
    for (const auto& info : all) {
        if (info.identity != segment) continue;
        if (const int failed = system_->users(shared_name(info.name), pids); failed != 0)
            return fail(system_error(failed, "cannot list the users of a segment"));
    }
    return pids;
}

}  // namespace snakepit::shm
