// SPDX-License-Identifier: MIT
#include "memory/allocator.h"

#include <fmt/format.h>

#include "base/units.h"
#include "memory/guard.h"

namespace snakepit::shm {

using namespace layout;

namespace {

std::uint64_t pages_for(std::uint64_t size) {
    return (size + 4095) / 4096 * 4096;
}

tl::unexpected<Error> over(ErrorCode code, std::string message, std::string_view key) {
    return fail(
        code, std::move(message),
        fmt::format("deallocate or clean up regions, or raise {} in the configuration", key));
}

}  // namespace

Status Allocator::check(std::uint64_t size, const RegionOwner& owner) const {
    if (size == 0)
        return fail(ErrorCode::invalid_size, "a region of 0 bytes was asked for",
                    "ask for at least 1 byte");
    if (limits.max_region_size != 0 && size > limits.max_region_size)
        return fail(ErrorCode::size_exceeds_limit,
                    fmt::format("{} were asked for; one region may have {}", format_size(size),
                                format_size(limits.max_region_size)),
                    "ask for less, or raise max_region_size in the configuration");
    // Both sides are far below 2^64: a size is at most max_region_size or fits a file.
    if (size > std::uint64_t{1} << 46)
        return fail(ErrorCode::size_exceeds_limit, fmt::format("{} bytes were asked for", size),
                    "ask for at most 64 TiB");
    if (limits.max_total_memory != 0 && bytes_used_ + size > limits.max_total_memory)
        return over(ErrorCode::memory_limit_exceeded,
                    fmt::format("{} are in use and {} more were asked for; the limit is {}",
                                format_size(bytes_used_), format_size(size),
                                format_size(limits.max_total_memory)),
                    "max_total_memory");
    if (limits.max_regions != 0 && registry_.used_count() >= limits.max_regions)
        return over(ErrorCode::region_limit_exceeded,
                    fmt::format("there are {} regions already", registry_.used_count()),
                    "max_regions");
    const auto mine = regions_of_.find(owner.serial);
    if (owner.serial != 0 && limits.max_regions_per_process != 0 && mine != regions_of_.end() &&
        mine->second >= limits.max_regions_per_process)
        return over(
            ErrorCode::process_region_limit_exceeded,
            fmt::format("process {} has {} regions already", owner.credentials.pid, mine->second),
            "max_regions_per_process");
    return check_user(size, owner.credentials.uid);
}

Status Allocator::check_user(std::uint64_t size, std::uint32_t uid) const {
    const auto found = usage_of_.find(uid);
    const auto usage = found == usage_of_.end() ? Usage{} : found->second;
    if (limits.max_regions_per_user != 0 && usage.regions >= limits.max_regions_per_user)
        return over(ErrorCode::user_limit_exceeded,
                    fmt::format("user {} has {} regions already", uid, usage.regions),
                    "max_regions_per_user");
    if (limits.max_memory_per_user != 0 && usage.bytes + size > limits.max_memory_per_user)
        return over(ErrorCode::user_limit_exceeded,
                    fmt::format("user {} has {} and asked for {} more; the limit is {}", uid,
                                format_size(usage.bytes), format_size(size),
                                format_size(limits.max_memory_per_user)),
                    "max_memory_per_user");
    return {};
}

void Allocator::count(const SlotFixed& fixed) {
    bytes_used_ += fixed.size;
    bytes_reserved_ += pages_for(fixed.size);
    if (fixed.owner_serial != 0) ++regions_of_[fixed.owner_serial];
    auto& usage = usage_of_[fixed.owner_uid];
    ++usage.regions;
    usage.bytes += fixed.size;
}

Result<std::uint32_t> Allocator::begin(std::uint64_t size, const RegionOptions& options,
                                       const RegionOwner& owner, std::uint64_t request_id) {
    SHM_TRY(check(size, owner));
    const auto id = RegionId::generate();
    SlotFixed fixed{};
    fixed.id_micros = id.micros;
    fixed.id_random = id.random;
    fixed.size = size;
    fixed.created_at = static_cast<std::int64_t>(id.micros);
    fixed.owner_serial = options.owned_by_user ? 0 : owner.serial;
    fixed.request_id = request_id;
    fixed.owner_pid = owner.credentials.pid;
    fixed.owner_start = owner.start_time;
    fixed.owner_uid = owner.credentials.uid;
    fixed.owner_gid = owner.credentials.gid;
    copy_text(fixed.owner_process, owner.process);
    copy_text(fixed.worker, owner.worker);
    copy_text(fixed.session, owner.session);
    SHM_ASSIGN(const auto slot, registry_.reserve(fixed, options.metadata));
    // Counted from now on, so that requests in flight together cannot pass a limit.
    count(fixed);
    return slot;
}

void Allocator::place(std::uint32_t slot, const Segment& segment, const RegionOptions& options) {
    SlotBody body{};
    body.actual_size = segment.size;
    body.device = segment.identity.device;
    body.inode = segment.identity.inode;
    body.timeout_ms = options.timeout_ms;
    body.permission_owner = static_cast<std::uint8_t>(options.permissions.owner);
    body.permission_group = static_cast<std::uint8_t>(options.permissions.group);
    body.permission_other = static_cast<std::uint8_t>(options.permissions.other);
    body.security_level =
        static_cast<std::uint8_t>(options.security_level.value_or(SecurityLevel::standard));
    body.access_mode = static_cast<std::uint8_t>(options.access_mode);
    body.cleanup_policy = static_cast<std::uint8_t>(options.cleanup_policy);
    body.placement = static_cast<std::uint8_t>(Placement::dedicated);
    body.metadata_bytes = static_cast<std::uint32_t>(options.metadata.size());
    if (write_guard(segment.handle, 0, registry_.fixed(slot).size, segment.size))
        body.flags |= kGuarded;
    registry_.write_body(slot, body);
}

void Allocator::commit(std::uint32_t slot) {
    auto word = registry_.control(slot);
    word.state = SlotState::live;
    const auto& fixed = registry_.fixed(slot);
    registry_.commit(slot, word,
                     {.kind = EventKind::allocated,
                      .pid = fixed.owner_pid,
                      .uid = fixed.owner_uid,
                      .value = fixed.size,
                      .text = fixed.owner_process});
}

void Allocator::forget(std::uint32_t slot) {
    const auto& fixed = registry_.fixed(slot);
    bytes_used_ -= fixed.size;
    bytes_reserved_ -= pages_for(fixed.size);
    const auto mine = regions_of_.find(fixed.owner_serial);
    if (mine != regions_of_.end() && --mine->second == 0) regions_of_.erase(mine);
    auto& usage = usage_of_[fixed.owner_uid];
    usage.bytes -= fixed.size;
    if (--usage.regions == 0) usage_of_.erase(fixed.owner_uid);
}

void Allocator::abandon(std::uint32_t slot) {
    // The object may not exist yet, or its identity not be known: the name alone is ours.
    if (auto removed = backend_.remove_segment(segment_name_of(slot), {}); !removed)
        registry_.record(slot, {.kind = EventKind::leftover_kept,
                                .result = removed.error().code,
                                .text = removed.error().message});
    forget(slot);
    registry_.release(slot, nullptr);
}

Status Allocator::release(std::uint32_t slot, const Event& event) {
    const auto& body = registry_.body(slot);
    SHM_TRY(backend_.remove_segment(segment_name_of(slot), {body.device, body.inode}));
    forget(slot);
    registry_.release(slot, &event);
    return {};
}

Result<Segment> Allocator::open(std::uint32_t slot, AccessMode access) {
    const auto& body = registry_.body(slot);
    SHM_ASSIGN(auto segment, backend_.open_segment(segment_name_of(slot), access));
    if (segment.identity != FileIdentity{body.device, body.inode} ||
        segment.size != body.actual_size)
        return fail(ErrorCode::corruption_detected,
                    fmt::format("the segment of {} was exchanged or cut", registry_.id(slot).str()),
                    "deallocate the region and find out who writes to the shared-memory directory");
    return segment;
}

void Allocator::recount() {
    bytes_used_ = bytes_reserved_ = 0;
    regions_of_.clear();
    usage_of_.clear();
    for (const auto slot : registry_.used()) count(registry_.fixed(slot));
}

}  // namespace snakepit::shm
