// SPDX-License-Identifier: MIT
#include "linux_posix/memfd_segments.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "linux_posix/segment_info.h"
#include "platform/memory_limit.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;

// Its name for the system and the keeper, which does not allow a ':'.
std::string bare(const std::string& name) {
    return name.substr(kAnonymousPrefix.size());
}

// Permanently not executable, if the kernel supports it (6.3).
Handle make_memfd(const std::string& name) {
    constexpr unsigned kNoExecSeal = 8;  // MFD_NOEXEC_SEAL; older headers do not know it
    Handle handle(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExecSeal));
    if (!handle && errno == EINVAL)
        handle.reset(::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    return handle;
}

tl::unexpected<Error> no_such(const std::string& name) {
    return fail(system_error(ENOENT, fmt::format("cannot open segment {}", name),
                             ErrorCode::mapping_failed));
}

}  // namespace

bool MemfdSegments::is_one(const Handle& handle) {
    const int seals = ::fcntl(handle.get(), F_GET_SEALS);
    return seals >= 0 && (seals & kSizeSeals) == kSizeSeals;
}

Status MemfdSegments::adopt() {
    if (!keeper_) return {};
    SHM_ASSIGN(auto kept, keeper_->take_all());
    const std::lock_guard lock(mutex_);
    for (auto& [name, handle] : kept) {
        // A memfd with a variable size was not created here.
        const auto identity = identity_of(handle);
        if (!identity || !is_one(handle)) continue;
        known_.insert_or_assign(std::string(kAnonymousPrefix) + name,
                                Known{std::move(handle), *identity, true});
    }
    return {};
}

Result<Segment> MemfdSegments::create(const std::string& name, std::uint64_t size, Pages pages,
                                      SegmentUse use) {
    Segment segment;
    segment.size = size;
    segment.handle = make_memfd(bare(name));
    const auto& handle = segment.handle;
    // A memfd is created with mode 0777, and could be reopened through /proc by any process with a
    // descriptor.
    if (!handle || ::fchmod(handle.get(), 0600) != 0 ||
        ::ftruncate(handle.get(), static_cast<off_t>(size)) != 0)
        return fail(file_error(errno, fmt::format("cannot create segment {}", name), handle,
                               ErrorCode::allocation_failed));
    if (pages == Pages::reserved) SHM_TRY(MemoryLimit::own().reserve(handle, 0, size));
    // Otherwise any writer could seal it against all others.
    const int seals = kSizeSeals | (use == SegmentUse::shared ? F_SEAL_SEAL : 0);
    if (::fcntl(handle.get(), F_ADD_SEALS, seals) != 0)
        return fail(system_error(errno, fmt::format("cannot fix the size of segment {}", name)));
    SHM_ASSIGN(segment.identity, identity_of(handle));
    Known known{handle.duplicate(), segment.identity};
    if (!known.handle) return fail(system_error(errno, "cannot duplicate a segment's descriptor"));
    const std::lock_guard lock(mutex_);
    if (known_.contains(name))
        return fail(ErrorCode::allocation_failed, fmt::format("segment {} exists", name));
    keep(name, known_.emplace(name, std::move(known)).first->second);
    return segment;
}

Status MemfdSegments::seal(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto* known = find(name);
    if (!known) return no_such(name);
    if (::fcntl(known->handle.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return fail(system_error(errno, fmt::format("cannot seal segment {}", name)));
    return {};
}

// Reopened, not duplicated, so that the descriptor has its own flags and access mode.
Result<Segment> MemfdSegments::open(const std::string& name, AccessMode access) {
    const std::lock_guard lock(mutex_);
    const auto* known = find(name);
    if (!known) return no_such(name);
    Segment segment;
    segment.handle =
        Handle(::open(fmt::format("/proc/self/fd/{}", known->handle.get()).c_str(),
                      (access == AccessMode::read_write ? O_RDWR : O_RDONLY) | O_CLOEXEC));
    struct stat info {};
    if (!segment.handle || ::fstat(segment.handle.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot open segment {}", name),
                                 ErrorCode::mapping_failed));
    segment.size = static_cast<std::uint64_t>(info.st_size);
    segment.identity = known->identity;
    return segment;
}

Status MemfdSegments::remove(const std::string& name, const FileIdentity& expected) {
    const std::lock_guard lock(mutex_);
    const auto* known = find(name);
    if (!known) return {};
    if (expected != FileIdentity{} && known->identity != expected)
        return fail(ErrorCode::security_violation,
                    fmt::format("segment {} is not the one that was made", name));
    struct stat info {};
    const bool immutable = (::fcntl(known->handle.get(), F_GET_SEALS) & F_SEAL_WRITE) != 0;
    // Idle clients may still map it; without this the pages would stay allocated until their next
    // call.
    if (!immutable && (::fstat(known->handle.get(), &info) != 0 ||
                       ::fallocate(known->handle.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   0, std::max<off_t>(info.st_size, 1)) != 0))
        return fail(system_error(errno, fmt::format("cannot remove segment {}", name),
                                 ErrorCode::cleanup_failed));
    return drop(name);
}

Status MemfdSegments::forget(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return find(name) ? drop(name) : Status();
}

// The keeper first, because a descriptor left only there would be lost.
Status MemfdSegments::drop(const std::string& name) {
    if (keeper_ && keeper_->alive())
        if (auto dropped = keeper_->drop(bare(name)); !dropped && keeper_->alive()) return dropped;
    known_.erase(name);
    return {};
}

Result<SegmentInfo> MemfdSegments::inspect(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto* known = find(name);
    struct stat info {};
    if (!known) return no_such(name);
    if (::fstat(known->handle.get(), &info) != 0)
        return fail(system_error(errno, fmt::format("cannot stat segment {}", name)));
    return describe(name, info);
}

std::vector<SegmentInfo> MemfdSegments::list(std::string_view prefix) {
    const std::lock_guard lock(mutex_);
    std::vector<SegmentInfo> out;
    for (const auto& [name, known] : known_) {
        struct stat info {};
        if (name.starts_with(prefix) && ::fstat(known.handle.get(), &info) == 0)
            out.push_back(describe(name, info));
    }
    return out;
}

MemfdSegments::Known* MemfdSegments::find(const std::string& name) {
    const auto found = known_.find(name);
    return found == known_.end() ? nullptr : &found->second;
}

// -------------------------------------------------------------------- keeper

// A segment without a keeper is better than none; the status reports it.
void MemfdSegments::keep(const std::string& name, Known& segment) {
    if (!keeper_) {
        problem_ = "no keeper is configured";
        return;
    }
    const auto fresh = keeper_->ensure();
    if (!fresh) {
        problem_ = fresh.error().sentence();
        return;
    }
    if (*fresh) return keep_all();
    const auto put = keeper_->put(bare(name), segment.handle);
    segment.kept = put.has_value();
    if (!put) problem_ = put.error().sentence();
}

// Starts over with an empty keeper.
void MemfdSegments::keep_all() {
    for (auto& [name, segment] : known_) segment.kept = false;
    keep_rest();
}

void MemfdSegments::keep_rest() {
    for (auto& [name, segment] : known_) {
        if (segment.kept) continue;
        const auto put = keeper_->put(bare(name), segment.handle);
        segment.kept = put.has_value();
        if (put) continue;
        problem_ = put.error().sentence();
        return;  // the others would fail too
    }
}

Keeping MemfdSegments::tend() {
    const std::lock_guard lock(mutex_);
    if (!known_.empty() && keeper_) {
        if (!keeper_->alive())
            for (auto& [name, segment] : known_) segment.kept = false;
        const auto unkept = std::any_of(known_.begin(), known_.end(),
                                        [](const auto& entry) { return !entry.second.kept; });
        const auto fresh = unkept ? keeper_->ensure() : Result<bool>(false);
        if (!fresh)
            problem_ = fresh.error().sentence();
        else if (*fresh)
            keep_all();
        else if (unkept)
            keep_rest();
    }
    Keeping keeping;
    keeping.segments = known_.size();
    for (const auto& [name, segment] : known_) keeping.kept += segment.kept ? 1 : 0;
    if (keeper_) keeping.keeper = keeper_->name();
    if (keeping.kept < keeping.segments) keeping.problem = problem_;
    return keeping;
}

}  // namespace snakepit::shm
