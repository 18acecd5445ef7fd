// SPDX-License-Identifier: MIT
// Another place for a region: found, filled, and what becomes of the old one. Service::move calls
// these in the order that survives a kill.
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

Result<Making> Allocator::current(std::uint32_t slot) const {
    const auto& body = registry_.body(slot);
    Making making;
    making.slot = slot;
    making.size = stored_bytes_of(slot);
    making.durable = (body.flags & kDurable) != 0;
    making.sealed = body.sealed != 0;
    if (body.arena != 0) {
        SHM_ASSIGN(making.slice, pool.slice_of(body));
        return making;
    }
    making.name = segment_name_of(slot);
    making.backing = (body.flags & kMemfd) != 0 ? Backing::memfd : Backing::posix;
    SHM_ASSIGN(making.segment.handle, open(slot, AccessMode::read_write));
    making.segment.size = body.actual_size;
    making.segment.identity = {body.device, body.inode};
    return making;
}

Result<Making> Allocator::begin_move(std::uint32_t slot) {
    SHM_ASSIGN(const auto slice, pool.slice_of(registry_.body(slot)));
    auto place = pool.better_place(slice);
    if (!place) return fail(ErrorCode::not_supported, "there is no better place for it");
    Making making;
    making.slot = slot;
    making.size = registry_.fixed(slot).size;
    making.slice = std::move(*place);
    making.work = pool.work_for(making.slice);
    return making;
}

// A segment of its own under the name that `as` gives it.
Making Allocator::begin_segment(std::uint32_t slot, const SlotBody& as) {
    Making making;
    making.slot = slot;
    making.size = stored_bytes_of(slot);
    making.durable = (as.flags & kDurable) != 0;
    making.sealed = as.sealed != 0;
    making.second_name = (as.flags & kSecondName) != 0;
    making.backing = (as.flags & kMemfd) != 0 ? Backing::memfd : Backing::posix;
    making.name = segment_name(registry_.instance(), registry_.id(slot), as);
    // Of an attempt that was cut off: the region's id is ours, so the name is.
    if (const auto earlier = backend_.inspect_segment(making.name))
        (void)backend_.remove_segment(making.name, earlier->identity);
    return making;
}

Making Allocator::begin_seal(std::uint32_t slot) {
    auto body = registry_.body(slot);
    body.sealed = 1;
    body.arena = 0;
    set_backing(body, backing_of_sealed((body.flags & kDurable) != 0));
    return begin_segment(slot, body);
}

Making Allocator::begin_dedicate(std::uint32_t slot) {
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

Status Allocator::copy(const Making& from, const Making& to) const {
    const auto bytes = page_up(from.size);
    const auto mapped = [&](const Making& making, Mapping& own) -> Result<std::byte*> {
        if (making.pooled())
            return making.slice.arena->mapping().data() + making.slice.range.offset;
        SHM_ASSIGN(own, Mapping::map(making.segment.handle, bytes, Mapping::Access::read_write));
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

SlotBody Allocator::moved_body(std::uint32_t slot, const Making& making) const {
    auto body = located(registry_.body(slot), making);
    body.flags &= ~kSecondName;
    if (making.second_name) body.flags |= kSecondName;
    // Memory nobody was handed yet: now the policy alone says who is.
    if (!making.pooled()) body.flags &= ~kPolicyPending;
    if (making.sealed) {
        body.flags &= ~kSealPending;
        body.access_mode = static_cast<std::uint8_t>(AccessMode::read_only);
    }
    return body;
}

void Allocator::moved(Making& from, const Making& to) {
    if (to.pooled()) pool.performed(to.work, true);
    if (!to.pooled()) bytes_dedicated_ += to.segment.size;
    if (from.pooled()) return pool.free(from.slice, true);
    bytes_dedicated_ -= from.segment.size;
    from.segment.handle.reset();  // removing it may need a descriptor, and there may be no other
    remove(from.slot, from.name, from.segment.identity);
}

}  // namespace snakepit::shm
