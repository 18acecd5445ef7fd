// SPDX-License-Identifier: MIT
#include "client/mapper.h"

#include <utility>

#include <fmt/format.h>

#include "client/fork_guard.h"
#include "layout/encrypted_layout.h"

namespace snakepit::shm {

using layout::LeasePage;

namespace {

// Entries checked for each new one, so that mappings of ended regions do not accumulate.
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
        } else {  // no address space for the arena, but perhaps for the region alone
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
    if (!mapping) {  // perhaps out of mappings: drop those of ended regions
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

// The region has moved, so the old mapping is wrong. No thread of ours holds it; otherwise it could
// not have moved.
void Mapper::forget_place(CachedRegion& entry) {
    entry.generation.store(0, std::memory_order_release);
    entry.forget_signal();
    for (int mode = 0; mode < 2; ++mode) {
        entry.data[mode].store(nullptr, std::memory_order_release);
        entry.mapping[mode].reset();
    }
}

std::vector<CachedRegion*> Mapper::install_stash(const wire::GrantedT& granted) {
    std::vector<CachedRegion*> out;
    const auto& mapping = cache_.arena(granted.arena).mapping[1];
    for (const auto& one : granted.stash) {
        if (!mapping.valid() || one.offset() > mapping.size() ||
            mapping.size() - one.offset() < granted.size)
            break;
        auto& entry = cache_.at(from_wire(one.id()));
        forget_place(entry);
        cache_.locate(entry, &cache_.arena(granted.arena));
        entry.slot.store(one.slot(), std::memory_order_relaxed);
        entry.acquisitions.store(&lease_.acquisitions(one.slot()), std::memory_order_relaxed);
        entry.size.store(granted.size, std::memory_order_relaxed);
        entry.tell_release.store(false, std::memory_order_relaxed);
        entry.level.store(SecurityLevel::standard, std::memory_order_relaxed);
        entry.audited.store(false, std::memory_order_relaxed);
        entry.place = mapping.data() + one.offset();
        entry.generation.store(one.generation(), std::memory_order_release);
        out.push_back(&entry);
    }
    return out;
}

Status Mapper::expose(CachedRegion& entry, AccessMode access) {
    auto* const arena = entry.arena;
    if (!arena || !entry.own.load(std::memory_order_acquire)) return {};
    if (access == AccessMode::read_write) {
        entry.data[1].store(entry.place, std::memory_order_release);
        return {};
    }
    const auto no_fork = ForkGuard::instance().no_fork();
    if (!arena->mapping[0].valid()) {
        SHM_ASSIGN(arena->mapping[0], arena->mapping[1].read_only_twin());
    }
    entry.data[0].store(arena->mapping[0].data() + (entry.place - arena->mapping[1].data()),
                        std::memory_order_release);
    return {};
}

Status Mapper::add_read_only(CachedRegion& entry) {
    constexpr auto kRead = static_cast<std::size_t>(AccessMode::read_only);
    constexpr auto kWrite = static_cast<std::size_t>(AccessMode::read_write);
    if (entry.own.load(std::memory_order_acquire)) return expose(entry, AccessMode::read_only);
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

// Lock-free. The entry may be reassigned to another region at any time. The reference pins it, so
// its id is compared again once the reference is held; its slot too, because slot and generation
// may have been read before and after a change.
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

std::optional<RegionId> Mapper::region_at(std::uint32_t slot, std::uint64_t generation) const {
    std::optional<RegionId> out;
    cache_.each([&](const CachedRegion& entry) {
        if (entry.slot.load(std::memory_order_relaxed) == slot &&
            entry.generation.load(std::memory_order_relaxed) == generation)
            out = RegionId{entry.id_micros.load(std::memory_order_relaxed),
                           entry.id_random.load(std::memory_order_relaxed)};
    });
    return out;
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

// --------------------------------------------------------------------- fork

std::vector<Mapper::Inherited> Mapper::hold_for_child() {
    std::vector<Inherited> mapped;
    cache_.each([&](CachedRegion& entry) {
        const bool writable = entry.data[1].load(std::memory_order_relaxed) != nullptr;
        if ((!writable && !entry.data[0].load(std::memory_order_relaxed)) ||
            entry.level.load(std::memory_order_relaxed) != SecurityLevel::standard)
            return;
        mapped.push_back({&entry,
                          {entry.id_micros.load(std::memory_order_relaxed),
                           entry.id_random.load(std::memory_order_relaxed)},
                          entry.slot.load(std::memory_order_relaxed),
                          entry.generation.load(std::memory_order_relaxed),
                          0,
                          writable ? AccessMode::read_write : AccessMode::read_only,
                          entry.audited.load(std::memory_order_relaxed)});
    });
    return hold_for_child(std::move(mapped));
}

std::vector<Mapper::Inherited> Mapper::hold_for_child(std::vector<Inherited> among) {
    using layout::LeaseWord;
    std::erase_if(among, [this](Inherited& region) {
        const auto word = lease_.word(region.slot).load(std::memory_order_relaxed);
        // One of n is the grant, one may be the allocation's, which is not a mapping's.
        const bool allocation =
            region.entry->holds_allocation || region.entry->own.load(std::memory_order_relaxed);
        const auto others = allocation ? 2U : 1U;
        if (LeaseWord::generation(word) != region.generation || LeaseWord::n(word) <= others)
            return true;
        region.references = LeaseWord::n(word) - others;
        if (lease_.acquire(region.slot, region.generation) != LeasePage::Acquire::acquired)
            return true;
        if (RegionCache::let_inherit(*region.entry, true)) return false;
        (void)RegionCache::let_inherit(*region.entry, false);
        release_for_child({region});
        return true;
    });
    return among;
}

void Mapper::release_for_child(const std::vector<Inherited>& regions) const {
    for (const auto& region : regions)
        lease_.release(region.slot, region.generation, !region.audited);
}

void Mapper::let_inherit(const std::vector<Inherited>& regions, bool inherit) {
    for (const auto& region : regions) (void)RegionCache::let_inherit(*region.entry, inherit);
}

void Mapper::forbid(const Inherited& region) {
    const auto size = layout::page_up(region.entry->size.load(std::memory_order_relaxed));
    for (const auto& data : region.entry->data)
        if (auto* const start = data.load(std::memory_order_relaxed)) Mapping::forbid(start, size);
}

void Mapper::drop(const std::vector<Inherited>& regions) {
    for (const auto& region : regions)
        for (int mode = 0; mode < 2; ++mode) {
            region.entry->mapping[mode].reset();
            if (region.entry->arena) region.entry->arena->mapping[mode].reset();
        }
}

}  // namespace snakepit::shm
