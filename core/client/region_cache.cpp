// SPDX-License-Identifier: MIT
#include "client/region_cache.h"

#include <algorithm>

namespace snakepit::shm {

using layout::LeaseWord;

namespace {

// Arenas kept mapped although this client has no region in them: the next region may be there.
constexpr std::size_t kIdleArenas = 8;

}  // namespace

RegionCache::RegionCache() {
    tables_.push_back(std::make_unique<Table>(256));
    table_.store(tables_.back().get(), std::memory_order_release);
}

// Cells of dropped or reassigned entries are reused, so that the table does not grow with every
// region ever used. A cell never used ends a reader's search.
bool RegionCache::insert(Table& table, CachedRegion* entry) {
    const RegionId id{entry->id_micros.load(std::memory_order_relaxed),
                      entry->id_random.load(std::memory_order_relaxed)};
    const auto start = std::hash<RegionId>{}(id);
    for (std::size_t i = 0; i < kProbes; ++i) {
        auto& cell = table.cells[(start + i) & table.mask];
        const auto* there = cell.load(std::memory_order_relaxed);
        if (there && there != entry && there->in_use && there->cell == &cell) continue;
        entry->cell = &cell;
        cell.store(entry, std::memory_order_release);
        return true;
    }
    return false;
}

void RegionCache::grow() {
    for (auto size = tables_.back()->cells.size() * 2;; size *= 2) {
        auto bigger = std::make_unique<Table>(size);
        const bool fits = std::all_of(pool_.begin(), pool_.end(), [&](CachedRegion& entry) {
            return !entry.in_use || insert(*bigger, &entry);
        });
        if (!fits) continue;
        tables_.push_back(std::move(bigger));
        table_.store(tables_.back().get(), std::memory_order_release);
        return;
    }
}

CachedRegion& RegionCache::at(const RegionId& id) {
    if (auto* known = find(id)) return *known;
    CachedRegion* entry = nullptr;
    if (unused_.empty()) {
        entry = &pool_.emplace_back();
    } else {
        entry = unused_.back();
        unused_.pop_back();
    }
    entry->in_use = true;
    entry->id_random.store(id.random, std::memory_order_relaxed);
    entry->id_micros.store(id.micros, std::memory_order_release);
    if (!insert(*tables_.back(), entry)) grow();
    return *entry;
}

CachedArena& RegionCache::arena(std::uint64_t id) {
    auto& arena = arenas_[id];
    arena.id = id;
    arena.used_at = ++clock_;
    const auto idle = [&](const auto& a) { return a.second.regions == 0 && a.first != id; };
    while (static_cast<std::size_t>(std::count_if(arenas_.begin(), arenas_.end(), idle)) >
           kIdleArenas) {
        auto oldest = arenas_.end();
        for (auto it = arenas_.begin(); it != arenas_.end(); ++it)
            if (idle(*it) &&
                (oldest == arenas_.end() || it->second.used_at < oldest->second.used_at))
                oldest = it;
        arenas_.erase(oldest);
    }
    return arena;
}

void RegionCache::locate(CachedRegion& entry, CachedArena* arena) {
    if (entry.arena) --entry.arena->regions;
    if (arena) ++arena->regions;
    entry.arena = arena;
}

void RegionCache::purge(const layout::LeasePage& lease, std::size_t count) {
    for (std::size_t i = 0; i < std::min(count, pool_.size()); ++i) {
        // Continues where the last one stopped; otherwise it would check the same few entries each
        // time.
        if (hand_ >= pool_.size()) hand_ = 0;
        auto& entry = pool_[hand_++];
        if (!entry.in_use) continue;
        const auto word =
            lease.word(entry.slot.load(std::memory_order_relaxed)).load(std::memory_order_relaxed);
        if (entry.own.load(std::memory_order_acquire)) continue;
        const bool granted =
            LeaseWord::generation(word) == entry.generation.load(std::memory_order_relaxed) &&
            LeaseWord::n(word) > 0;
        if (granted) continue;
        // No reference can be acquired now; only a new grant, which needs our mutex, changes that.
        entry.id_micros.store(0, std::memory_order_release);
        entry.generation.store(0, std::memory_order_relaxed);
        for (int mode = 0; mode < 2; ++mode) {
            entry.data[mode].store(nullptr, std::memory_order_relaxed);
            entry.mapping[mode].reset();
        }
        entry.forget_signal();
        locate(entry, nullptr);
        entry.holds_allocation = false;
        entry.in_use = false;
        unused_.push_back(&entry);
    }
}

void RegionCache::abandon() {
    const auto drop = [](auto& place) {
        if (place.inherited) return;
        for (auto& mapping : place.mapping) mapping.abandon();
    };
    for (auto& entry : pool_) {
        drop(entry);
        entry.signal_mapping.abandon();
    }
    for (auto& [id, arena] : arenas_) drop(arena);
}

Status RegionCache::let_inherit(CachedRegion& entry, bool inherited) {
    const auto change = [&](auto& place) -> Status {
        if (place.inherited == inherited) return {};
        place.inherited = inherited;
        for (auto& mapping : place.mapping)
            if (mapping.valid()) SHM_TRY(mapping.let_inherit(inherited));
        return {};
    };
    // A slice may have its own mapping although the arena is known.
    SHM_TRY(change(entry));
    return entry.arena ? change(*entry.arena) : Status();
}

}  // namespace snakepit::shm
