// SPDX-License-Identifier: MIT
#include "memory/allocator.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "layout/allocated_count.h"
#include "layout/encrypted_layout.h"
#include "layout/ownership.h"
#include "memory/canary.h"
#include "platform/fault_guard.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// Work of at least this size is done on another thread: reserving pages takes about 0.2 ms per MiB.
constexpr std::uint64_t kSlowBytes = 4 << 20;
// A flag of a body, besides BodyFlag: the slot is RESERVED and the manager may be allocating its
// pages.
constexpr std::uint32_t kTakingPages = 1 << 15;
// Segments of at least this size are reserved by the client, if it can; below it the extra request
// would cost more than the pages.
constexpr std::uint64_t kClientReserves = 1 << 20;

// The request number for a region that belongs to its user and not to the requesting client.
std::uint64_t mixed(std::uint64_t serial, std::uint64_t request_id) {
    auto x = serial * 0x9E37'79B9'7F4A'7C15ULL ^ request_id;
    x = (x ^ x >> 30) * 0xBF58'476D'1CE4'E5B9ULL;
    x = (x ^ x >> 27) * 0x94D0'49BB'1331'11EBULL;
    return (x ^ x >> 31) | 1;
}

}  // namespace

std::uint64_t stored_bytes(std::uint64_t size, SecurityLevel level) {
    return level == SecurityLevel::standard ? size : EncryptedLayout(size).segment_bytes();
}

std::uint64_t Allocator::stored_bytes_of(std::uint32_t slot) const {
    return stored_bytes(registry_.fixed(slot).size,
                        static_cast<SecurityLevel>(registry_.body(slot).security_level));
}

bool PendingAllocation::slow() const {
    return pooled() ? work.bytes() >= kSlowBytes : !by_client && page_up(size) >= kSlowBytes;
}

// ------------------------------------------------------------- a new region

// Only what one user alone may read and write shares memory with other regions of that user.
bool Allocator::poolable(std::uint64_t size, const RegionOptions& options) const {
    return options.placement != Placement::dedicated && !options.durable &&
           size <= ArenaPool::kLargestSlice && options.permissions == PermissionSet{} &&
           options.access_mode == AccessMode::read_write &&
           options.security_level.value_or(SecurityLevel::standard) == SecurityLevel::standard;
}

void Allocator::choose_segment(PendingAllocation& pending, const RegionOptions& options) const {
    const auto id = registry_.id(pending.slot);
    pending.durable = options.durable;
    pending.backing = backing_for(options, backing);
    pending.name = pending.durable ? durable_name(id) : segment_name(registry_.instance(), id);
    if (pending.backing == Backing::memfd) pending.name = anonymous_name(pending.name);
}

Status Allocator::choose_place(PendingAllocation& pending, const RegionOptions& options,
                               std::uint32_t tenant) {
    if (!poolable(pending.size, options)) {
        if (options.placement == Placement::pooled)
            return fail(ErrorCode::invalid_argument,
                        fmt::format("only regions of at most {} that only their user may read and "
                                    "write can be pooled",
                                    format_size(ArenaPool::kLargestSlice)),
                        "omit the placement, or the options that need a dedicated segment");
        choose_segment(pending, options);
        return {};
    }
    auto slice = pool.allocate(tenant, pending.size);
    if (slice) {
        pending.slice = std::move(*slice);
        pending.work = pool.work_for(pending.slice);
        return {};
    }
    if (options.placement == Placement::pooled) return fail(std::move(slice).error());
    // No arena can be created or mapped: a dedicated segment needs neither space for an arena nor
    // our mapping.
    choose_segment(pending, options);
    return {};
}

Result<PendingAllocation> Allocator::begin(std::uint64_t size, const RegionOptions& options,
                                           const RegionOwner& owner, std::uint64_t request_id) {
    SHM_TRY(check(size, owner));
    auto id = RegionId::generate();
    id.random = tagged(registry_.epoch(), id.random);
    SlotFixed fixed{};
    fixed.id_micros = id.micros;
    fixed.id_random = id.random;
    fixed.size = size;
    fixed.created_at = static_cast<std::int64_t>(id.micros);
    fixed.owner_serial = options.owned_by_user || options.durable ? 0 : owner.serial;
    if (owner.serial != 0)
        fixed.request_id = fixed.owner_serial != 0 ? request_id : mixed(owner.serial, request_id);
    fixed.owner_pid = owner.credentials.pid;
    fixed.owner_start = owner.start_time;
    fixed.owner_uid = owner.credentials.uid;
    fixed.owner_gid = owner.credentials.gid;
    copy_text(fixed.owner_process, owner.process);
    copy_text(fixed.worker, owner.worker);
    copy_text(fixed.session, owner.session);
    PendingAllocation pending;
    pending.size = stored_bytes(size, options.security_level.value_or(SecurityLevel::standard));
    SHM_ASSIGN(pending.slot, registry_.reserve(fixed, options.metadata, options.name));
    if (auto chosen = choose_place(pending, options, fixed.owner_uid); !chosen) {
        registry_.release(pending.slot, nullptr);
        return fail(std::move(chosen).error());
    }
    // Counted from now on, so that requests in flight together cannot pass a limit.
    count(fixed);
    if (!pending.pooled()) bytes_dedicated_ += page_up(pending.size);
    pending.by_client =
        owner.reserves && !pending.pooled() && !pending.durable && pending.size >= kClientReserves;
    return pending;
}

std::optional<std::uint32_t> Allocator::find_request(std::uint64_t serial,
                                                     std::uint64_t request_id) const {
    const auto own = registry_.find_request(serial, request_id);
    return own ? own : registry_.find_request(0, mixed(serial, request_id));
}

void Allocator::mark_taking(const PendingAllocation& pending) {
    SlotBody body{};
    body.flags = kTakingPages;
    registry_.write_body(pending.slot, body);
}

void Allocator::note_segment(const PendingAllocation& pending) {
    SlotBody body{};
    body.device = pending.segment.identity.device;
    body.inode = pending.segment.identity.inode;
    registry_.write_body(pending.slot, body);
}

bool Allocator::was_taking(std::uint32_t slot) const {
    return registry_.intact(slot) && (registry_.body(slot).flags & kTakingPages) != 0;
}

Status Allocator::make(PendingAllocation& pending) const {
    if (pending.pooled()) return pool.perform(pending.work);
    const auto use = pending.sealed ? SegmentUse::to_be_sealed : SegmentUse::shared;
    const auto pages = pending.by_client ? Pages::on_demand : Pages::reserved;
    SHM_ASSIGN(pending.segment, backend_.create_segment(pending.name, pending.size, pages, use));
    return {};
}

Status Allocator::hollow(PendingAllocation& pending) {
    pool.performed(pending.work, false);
    pending.work = {pending.slice.arena, pending.slice.range, {}, {}, {}};
    pending.by_client = true;
    return pool.hollow(pending.slice);
}

Status Allocator::fill_stashed(std::uint32_t slot) {
    const auto& body = registry_.body(slot);
    SHM_ASSIGN(const auto slice, pool.slice_of(body));
    SHM_TRY(pool.fill(slice));
    if ((body.flags & kHasCanary) != 0)
        complete_canary(slice.arena->handle(), body.offset, registry_.fixed(slot).size,
                        body.actual_size);
    return {};
}

Result<Handle> Allocator::open_unreserved(const PendingAllocation& pending) const {
    SHM_ASSIGN(auto segment, backend_.open_segment(pending.name, AccessMode::read_write));
    if (segment.identity == pending.segment.identity) return std::move(segment.handle);
    return fail(ErrorCode::corruption_detected,
                fmt::format("segment {} was replaced by another process", pending.name));
}

Status Allocator::check_reserved(const PendingAllocation& pending) const {
    return backend_.check_reserved(pending.segment.handle, pending.segment.size);
}

void Allocator::place(PendingAllocation& pending, const RegionOptions& options) {
    SlotBody body{};
    body.timeout_ms = options.timeout_ms;
    body.permission_owner = static_cast<std::uint8_t>(options.permissions.owner);
    body.permission_group = static_cast<std::uint8_t>(options.permissions.group);
    body.permission_other = static_cast<std::uint8_t>(options.permissions.other);
    body.security_level =
        static_cast<std::uint8_t>(options.security_level.value_or(SecurityLevel::standard));
    body.access_mode = static_cast<std::uint8_t>(options.access_mode);
    body.cleanup_policy = static_cast<std::uint8_t>(options.cleanup_policy);
    body.metadata_bytes = static_cast<std::uint32_t>(options.metadata.size());
    if (pending.pooled()) pool.performed(pending.work, true);
    body.flags = pending.flags | (pending.durable ? std::uint32_t{kDurable} : 0);
    if (options.audit_access) body.flags |= kAudited;
    body.flags |= static_cast<std::uint32_t>(options.owner_end) << kOwnerEndShift;
    body = located(body, pending);
    const auto& handle = pending.pooled() ? pending.slice.arena->handle() : pending.segment.handle;
    // Writing it takes a page: of a hollow slice it is written when the client has taken them.
    const bool canary = pending.pooled() && pending.by_client
                            ? has_canary(pending.size, body.actual_size)
                            : write_canary(handle, body.offset, pending.size, body.actual_size);
    if (canary) body.flags |= kHasCanary;
    registry_.write_body(pending.slot, body);
}

// Fills in the location of `pending`.
SlotBody Allocator::located(SlotBody body, const PendingAllocation& pending) {
    body.placement =
        static_cast<std::uint8_t>(pending.pooled() ? Placement::pooled : Placement::dedicated);
    body.arena = pending.pooled() ? pending.slice.arena->id() : 0;
    body.offset = pending.pooled() ? pending.slice.range.offset : 0;
    body.actual_size = pending.pooled() ? pending.slice.range.size : pending.segment.size;
    const auto& identity =
        pending.pooled() ? pending.slice.arena->identity() : pending.segment.identity;
    body.device = identity.device;
    body.inode = identity.inode;
    body.sealed = pending.sealed ? 1 : 0;
    const bool memfd =
        pending.pooled() ? pending.slice.arena->anonymous() : pending.backing == Backing::memfd;
    body.flags = memfd ? body.flags | kMemfd : body.flags & ~std::uint32_t{kMemfd};
    return body;
}

void Allocator::commit(std::uint32_t slot) {
    auto word = registry_.control(slot);
    word.state = SlotState::live;
    const auto& fixed = registry_.fixed(slot);
    registry_.commit(slot, word,
                     {.kind = EventKind::allocated,
                      .pid = fixed.owner_pid,
                      .uid = fixed.owner_uid,
                      .count = allocated_count(fixed.name_bytes, made_as(registry_.body(slot))),
                      .value = fixed.size,
                      .text = fixed.owner_process,
                      .name = registry_.name(slot)});
}

// ------------------------------------------------------------- an old region

Status Allocator::release(std::uint32_t slot, const Event& event, bool touched) {
    const auto& body = registry_.body(slot);
    if ((body.flags & kDurable) != 0) SHM_TRY(durable.forget(registry_.id(slot)));
    if (body.arena == 0) {
        SHM_TRY(backend_.remove_segment(segment_name_of(slot), {body.device, body.inode}));
        bytes_dedicated_ -= body.actual_size;
    } else if (const auto slice = pool.slice_of(body); slice && !not_adopted_.contains(slot)) {
        pool.free(*slice, touched);
    }
    not_adopted_.erase(slot);
    forget(slot);
    registry_.release(slot, &event);
    return {};
}

Status Allocator::wipe(std::uint32_t slot) const {
    if (immutable(slot)) return {};
    if (registry_.body(slot).sealed != 0)
        SHM_TRY(backend_.set_read_only(segment_name_of(slot), false));
    SHM_ASSIGN(const auto pending, current(slot));
    Mapping own;
    auto* data = pending.pooled()
                     ? pending.slice.arena->mapping().data() + pending.slice.range.offset
                     : nullptr;
    const auto bytes = registry_.body(slot).actual_size;
    if (!data) {
        SHM_ASSIGN(own, Mapping::map(pending.segment.handle, bytes, Mapping::Access::read_write));
        data = own.data();
    }
    const FaultGuard guard(data, bytes);
    // A canary after the region's end stays, because it is still checked.
    const bool has_canary = (registry_.body(slot).flags & kHasCanary) != 0;
    std::memset(data, 0, has_canary ? registry_.fixed(slot).size : bytes);
    return {};
}

Location Allocator::locate(std::uint32_t slot) const {
    const auto& body = registry_.body(slot);
    if (body.arena == 0) return {0, 0, body.actual_size};
    const auto slice = pool.slice_of(body);
    return {body.arena, body.offset, slice ? slice->arena->size() : 0};
}

Result<Handle> Allocator::open(std::uint32_t slot, AccessMode access) const {
    const auto& body = registry_.body(slot);
    if (body.arena != 0) {
        SHM_ASSIGN(const auto slice, pool.slice_of(body));
        return pool.handle_for(slice, access);
    }
    SHM_ASSIGN(auto segment, backend_.open_segment(segment_name_of(slot), access));
    if (segment.identity != FileIdentity{body.device, body.inode} ||
        segment.size != body.actual_size)
        return fail(
            ErrorCode::corruption_detected,
            fmt::format("the segment of {} was replaced or truncated", registry_.id(slot).str()),
            "deallocate the region and check which process writes to the shared-memory directory");
    return std::move(segment.handle);
}

// --------------------------------------------------------------------- start

Status Allocator::adopt(std::uint32_t slot, const SegmentsByName* segments) {
    const auto& body = registry_.body(slot);
    const auto adopted = [&]() -> Status {
        if (body.arena != 0) return pool.adopt(registry_.fixed(slot).owner_uid, body);
        const auto name = segment_name_of(slot);
        const auto segment = [&]() -> std::optional<SegmentInfo> {
            if (segments) {
                const auto found = segments->find(name);
                return found != segments->end() ? std::optional(found->second) : std::nullopt;
            }
            auto seen = backend_.inspect_segment(name);
            return seen ? std::optional(std::move(*seen)) : std::nullopt;
        }();
        if (!segment) return fail(ErrorCode::corruption_detected, loss_of(slot));
        if (segment->identity != FileIdentity{body.device, body.inode} ||
            segment->uid != ::geteuid())
            return fail(ErrorCode::corruption_detected,
                        "its segment was replaced by another process");
        if (segment->size != body.actual_size)
            return fail(ErrorCode::corruption_detected,
                        "its segment was truncated by another process");
        return {};
    }();
    if (!adopted) not_adopted_.insert(slot);
    return adopted;
}

// Only if a process may hold it, because this scans every process.
std::string Allocator::loss_of(std::uint32_t slot) const {
    const auto& body = registry_.body(slot);
    if ((body.flags & kMemfd) == 0) return "its segment was removed by another process";
    std::string text = "its memory is lost: no keeper held it when the manager ended";
    if (registry_.stats(slot).references == 0) return text;
    const auto users = backend_.users_of({body.device, body.inode});
    if (users && !users->empty()) text += fmt::format("; process {} still has it", users->front());
    return text;
}

}  // namespace snakepit::shm
