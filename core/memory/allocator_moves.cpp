// SPDX-License-Identifier: MIT
// Another place for a region: found, filled, and what becomes of the old one. RegionMover::move
// calls these in the order that survives a kill.
#include <cstring>

#include <fmt/format.h>

#include "memory/allocator.h"
#include "platform/fault_guard.h"

namespace snakepit::shm {

using namespace layout;

namespace {

void set_backing(SlotBody& body, Backing backing) {
    body.flags =
        backing == Backing::memfd ? body.flags | kMemfd : body.flags & ~std::uint32_t{kMemfd};
}

}  // namespace

Result<PendingAllocation> Allocator::current(std::uint32_t slot) const {
    const auto& body = registry_.body(slot);
    PendingAllocation pending;
    pending.slot = slot;
    pending.size = stored_bytes_of(slot);
    pending.durable = (body.flags & kDurable) != 0;
    pending.sealed = body.sealed != 0;
    if (body.arena != 0) {
        SHM_ASSIGN(pending.slice, pool.slice_of(body));
        return pending;
    }
    pending.name = segment_name_of(slot);
    pending.backing = (body.flags & kMemfd) != 0 ? Backing::memfd : Backing::posix;
    SHM_ASSIGN(pending.segment.handle, open(slot, AccessMode::read_write));
    pending.segment.size = body.actual_size;
    pending.segment.identity = {body.device, body.inode};
    return pending;
}

Result<PendingAllocation> Allocator::begin_move(std::uint32_t slot) {
    SHM_ASSIGN(const auto slice, pool.slice_of(registry_.body(slot)));
    auto place = pool.better_place(slice);
    if (!place) return fail(ErrorCode::not_supported, "there is no better place for it");
    PendingAllocation pending;
    pending.slot = slot;
    pending.size = registry_.fixed(slot).size;
    pending.slice = std::move(*place);
    pending.work = pool.work_for(pending.slice);
    return pending;
}

// A segment of its own under the name that `as` gives it.
PendingAllocation Allocator::begin_segment(std::uint32_t slot, const SlotBody& as) {
    PendingAllocation pending;
    pending.slot = slot;
    pending.size = stored_bytes_of(slot);
    pending.durable = (as.flags & kDurable) != 0;
    pending.sealed = as.sealed != 0;
    pending.second_name = (as.flags & kSecondName) != 0;
    pending.backing = (as.flags & kMemfd) != 0 ? Backing::memfd : Backing::posix;
    pending.name = segment_name(registry_.instance(), registry_.id(slot), as);
    // Of an attempt that was cut off: the region's id is ours, so the name is.
    if (const auto earlier = backend_.inspect_segment(pending.name))
        (void)backend_.remove_segment(pending.name, earlier->identity);
    return pending;
}

PendingAllocation Allocator::begin_seal(std::uint32_t slot) {
    auto body = registry_.body(slot);
    body.sealed = 1;
    body.arena = 0;
    set_backing(body, backing_of_sealed((body.flags & kDurable) != 0));
    return begin_segment(slot, body);
}

PendingAllocation Allocator::begin_dedicate(std::uint32_t slot) {
    auto body = registry_.body(slot);
    if (body.arena == 0) body.flags ^= kSecondName;
    body.arena = 0;
    RegionOptions as;
    as.durable = (body.flags & kDurable) != 0;
    as.security_level = static_cast<SecurityLevel>(body.security_level);
    as.permissions.other = Permission::read_only;  // a policy says who, and may say others
    set_backing(body, body.sealed != 0 ? backing_of_sealed(as.durable) : backing_for(as, backing));
    return begin_segment(slot, body);
}

Status Allocator::copy(const PendingAllocation& from, const PendingAllocation& to) const {
    const auto bytes = page_up(from.size);
    const auto mapped = [&](const PendingAllocation& pending, Mapping& own) -> Result<std::byte*> {
        if (pending.pooled())
            return pending.slice.arena->mapping().data() + pending.slice.range.offset;
        SHM_ASSIGN(own, Mapping::map(pending.segment.handle, bytes, Mapping::Access::read_write));
        return own.data();
    };
    Mapping source, target;
    SHM_ASSIGN(auto* const read, mapped(from, source));
    SHM_ASSIGN(auto* const write, mapped(to, target));
    {
        const FaultGuard source_guard(read, bytes);
        const FaultGuard target_guard(write, bytes);
        std::memcpy(write, read, bytes);
        if (source_guard.faulted() || target_guard.faulted())
            return fail(ErrorCode::corruption_detected,
                        fmt::format("the memory of {} was cut short by someone else",
                                    registry_.id(from.slot).str()));
    }
    target.reset();  // or the kernel would not take the right to write away
    if (to.sealed) SHM_TRY(backend_.set_read_only(to.name, true));
    return {};
}

SlotBody Allocator::moved_body(std::uint32_t slot, const PendingAllocation& pending) const {
    auto body = located(registry_.body(slot), pending);
    body.flags &= ~kSecondName;
    if (pending.second_name) body.flags |= kSecondName;
    // Memory nobody was handed yet: now the policy alone says who is.
    if (!pending.pooled()) body.flags &= ~kPolicyPending;
    if (pending.sealed) {
        body.flags &= ~kSealPending;
        body.access_mode = static_cast<std::uint8_t>(AccessMode::read_only);
    }
    return body;
}

void Allocator::moved(PendingAllocation& from, const PendingAllocation& to) {
    if (to.pooled()) pool.performed(to.work, true);
    if (!to.pooled()) bytes_dedicated_ += to.segment.size;
    if (from.pooled()) return pool.free(from.slice, true);
    bytes_dedicated_ -= from.segment.size;
    from.segment.handle.reset();  // removing it may need a descriptor, and there may be no other
    remove(from.slot, from.name, from.segment.identity);
}

}  // namespace snakepit::shm
