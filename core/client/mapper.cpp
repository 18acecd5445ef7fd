// SPDX-License-Identifier: MIT
#include "client/mapper.h"

#include <utility>

#include <fmt/format.h>

#include "client/fork_guard.h"
#include "layout/encrypted_layout.h"

namespace snakepit::shm {

using layout::LeasePage;

namespace {

// Entries looked at for each new one: keeps mappings of regions that ended from piling up.
constexpr std::size_t kPurgeStep = 8;

Error full_error(const RegionId& id) {
    return make_error(ErrorCode::reference_limit,
                      fmt::format("this program holds too many references to {}", id.str()),
                      "unmap what is not needed");
}

}  // namespace

// Where the region is mapped, made if need be; nowhere when its handle is needed for that and did
// not come.
Result<Mapper::Place> Mapper::place_of(const wire::GrantedT& granted, const Handle& handle,
                                       AccessMode access) {
    const auto mode = static_cast<std::size_t>(access);
    if (granted.arena == 0) {
        const auto* known = cache_.find(from_wire(*granted.id));
        const bool there = known && !known->arena && known->mapping[mode].valid() &&
                           known->generation.load(std::memory_order_relaxed) == granted.generation;
        if (there) return Place{{}, nullptr, known->mapping[mode].data()};
        if (!handle) return Place{};
        SHM_ASSIGN(auto mapping, map_segment(handle, 0, granted.segment_size, access));
        auto* const data = mapping.data();
        return Place{std::move(mapping), nullptr, data};
    }
    auto& arena = cache_.arena(granted.arena);
    auto& mapping = arena.mapping[mode];
    if (!mapping.valid() && access == AccessMode::read_only && arena.mapping[1].valid()) {
        SHM_ASSIGN(mapping, arena.mapping[1].read_only_twin());
    }
    if (!mapping.valid()) {
        if (!handle) return Place{};
        if (auto whole = map_segment(handle, 0, granted.segment_size, access)) {
            mapping = std::move(*whole);
        } else {  // no address space for an arena: for the region alone there may be some
            SHM_ASSIGN(auto slice,
                       map_segment(handle, granted.offset, layout::page_up(granted.size), access));
            auto* const data = slice.data();
            return Place{std::move(slice), nullptr, data};
        }
    }
    if (granted.offset + granted.size > mapping.size()) return unexpected_answer();
    return Place{{}, &arena, mapping.data() + granted.offset};
}

Result<Mapping> Mapper::map_segment(const Handle& handle, std::uint64_t offset, std::uint64_t size,
                                    AccessMode access) {
    const auto protection =
        access == AccessMode::read_write ? Mapping::Access::read_write : Mapping::Access::read_only;
    auto mapping = Mapping::map(handle, size, protection, false, offset);
    if (!mapping) {  // out of mappings, perhaps: those of ended regions are in the way
        cache_.purge(lease_, cache_.size());
        mapping = Mapping::map(handle, size, protection, false, offset);
    }
    return mapping;
}

// Null: the answer brought no handle, and one is needed.
Result<CachedRegion*> Mapper::install(const Connection::Answer& answer, AccessMode access) {
    const auto* granted = answer.reply.answer.AsGranted();
    if (!granted || !granted->id) return unexpected_answer();
    cache_.purge(lease_, kPurgeStep);
    const auto mode = static_cast<std::size_t>(access);
    const auto id = from_wire(*granted->id);
    const auto level = static_cast<SecurityLevel>(granted->security_level);
    if (level != SecurityLevel::standard &&
        layout::EncryptedLayout(granted->size).segment_bytes() > granted->segment_size)
        return unexpected_answer();
    // Mapped before the entry is made: the grant may be withdrawn at any time, and purging then
    // drops it.
    SHM_ASSIGN(auto place, place_of(*granted, answer.handle, access));
    if (!place.data) return nullptr;
    auto& entry = cache_.at(id);
    if (entry.generation.load(std::memory_order_relaxed) != granted->generation)
        forget_place(entry);
    cache_.locate(entry, place.arena);
    entry.slot.store(granted->slot, std::memory_order_relaxed);
    entry.acquisitions.store(&lease_.acquisitions(granted->slot), std::memory_order_relaxed);
    entry.size.store(granted->size, std::memory_order_relaxed);
    entry.tell_release.store(granted->tell_release, std::memory_order_relaxed);
    entry.level.store(level, std::memory_order_relaxed);
    entry.audited.store(granted->audited, std::memory_order_relaxed);
    if (place.fresh.valid()) entry.mapping[mode] = std::move(place.fresh);
    entry.data[mode].store(place.data, std::memory_order_release);
    entry.generation.store(granted->generation, std::memory_order_release);
    return &entry;
}

// The region has moved: what was mapped is not where it is. Nobody of ours holds it, or it could
// not.
void Mapper::forget_place(CachedRegion& entry) {
    entry.generation.store(0, std::memory_order_release);
    for (int mode = 0; mode < 2; ++mode) {
        entry.data[mode].store(nullptr, std::memory_order_release);
        entry.mapping[mode].reset();
    }
}

Status Mapper::add_read_only(CachedRegion& entry) {
    constexpr auto kRead = static_cast<std::size_t>(AccessMode::read_only);
    constexpr auto kWrite = static_cast<std::size_t>(AccessMode::read_write);
    auto* const mappings = entry.arena ? entry.arena->mapping : entry.mapping;
    if (entry.data[kRead].load(std::memory_order_relaxed) ||
        !entry.data[kWrite].load(std::memory_order_relaxed))
        return {};
    const auto no_fork = ForkGuard::instance().no_fork();
    if (!mappings[kRead].valid()) {
        SHM_ASSIGN(mappings[kRead], mappings[kWrite].read_only_twin());
    }
    const auto offset =
        entry.data[kWrite].load(std::memory_order_relaxed) - mappings[kWrite].data();
    entry.data[kRead].store(mappings[kRead].data() + offset, std::memory_order_release);
    return {};
}

// Lock-free. The entry may have become another region's while we looked: the reference pins it,
// so its id is compared again once the reference is held; its slot too, for slot and generation may
// have been read one before and one after.
Result<MappedRegion> Mapper::acquire(CachedRegion& entry, const RegionId& id, AccessMode access,
                                     LeasePage::Acquire& outcome) const {
    const auto slot = entry.slot.load(std::memory_order_relaxed);
    const auto generation = entry.generation.load(std::memory_order_acquire);
    outcome = LeasePage::Acquire::not_granted;
    if (generation == 0) return MappedRegion{};
    outcome = lease_.acquire(slot, generation);
    if (outcome == LeasePage::Acquire::full) return fail(full_error(id));
    if (outcome != LeasePage::Acquire::acquired) return MappedRegion{};
    auto* const data = entry.data[static_cast<std::size_t>(access)].load(std::memory_order_acquire);
    const bool same = entry.is(id) &&
                      entry.generation.load(std::memory_order_relaxed) == generation &&
                      entry.slot.load(std::memory_order_relaxed) == slot;
    if (!same || !data) {
        lease_.release(slot, generation);
        outcome = LeasePage::Acquire::not_granted;
        return MappedRegion{};
    }
    return MappedRegion{data,
                        entry.size.load(std::memory_order_relaxed),
                        slot,
                        generation,
                        access,
                        entry.tell_release.load(std::memory_order_relaxed),
                        entry.audited.load(std::memory_order_relaxed),
                        entry.level.load(std::memory_order_relaxed)};
}

void Mapper::release_all() const {
    using Release = layout::LeasePage::Release;
    cache_.each([this](const CachedRegion& entry) {
        const bool keep_grant = !entry.audited.load(std::memory_order_relaxed);
        while (lease_.release(entry.slot.load(std::memory_order_relaxed),
                              entry.generation.load(std::memory_order_relaxed),
                              keep_grant) != Release::not_held) {
        }
    });
}

}  // namespace snakepit::shm
