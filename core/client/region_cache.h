// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/region.h"
#include "layout/lease_page.h"
#include "layout/signals_layout.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

// An arena this client received: mapped once, however many regions lie in it. Under the client's
// mutex.
struct CachedArena {
    std::uint64_t id = 0;
    std::uint64_t regions = 0;  // entries that lie in it
    std::uint64_t used_at = 0;  // to drop the arena that was idle longest
    bool inherited = false;     // a child of the fork in progress gets it
    Mapping mapping[2];         // by AccessMode
};

// What keeps a signal word mapped. Any thread.
class SignalMapping {
  public:
    std::shared_ptr<Mapping> get() const {
        const std::lock_guard held(mutex_);
        return mapping_;
    }
    void set(std::shared_ptr<Mapping> mapping) {
        const std::lock_guard held(mutex_);
        mapping_.swap(mapping);
    }
    // In a forked child, which has no other thread.
    void abandon() {
        if (mapping_) mapping_->abandon();
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<Mapping> mapping_;
};

// A count at which no map is timed.
inline constinit std::atomic<std::uint32_t> never_timed{1};

// A region this client was granted: where its lease word and its memory are. Read without a lock.
// Until a reference is held the object may be reused for another region, so the values are valid
// only if `id_*` still matches after the reference was acquired.
struct CachedRegion {
    std::atomic<std::uint64_t> id_micros{0}, id_random{0};
    std::atomic<std::uint64_t> generation{0};
    std::atomic<std::uint64_t> size{0};
    std::atomic<std::byte*> data[2] = {nullptr, nullptr};  // by AccessMode
    std::atomic<std::uint32_t> slot{0};
    std::atomic<const std::atomic<std::uint32_t>*> acquisitions{&never_timed};  // of the slot
    std::atomic<layout::SignalWord*> signal{nullptr};
    std::atomic<std::uint32_t> signal_epoch{0};  // LeasePage::signals() when it was asked for
    std::atomic<bool> tell_release{false};
    std::atomic<bool> audited{false};
    std::atomic<SecurityLevel> level{SecurityLevel::standard};

    // It is in the Stash, idle or as a region; only then are these two valid. They belong to the
    // thread that claims or recycles it.
    std::atomic<bool> own{false};
    bool dirty = false;          // idle, and the last region there was mapped
    std::byte* place = nullptr;  // its memory, writable

    SignalMapping signal_mapping;

    // The rest: only under the client's mutex.
    bool holds_allocation = false;
    bool in_use = false;
    const void* cell = nullptr;    // of the newest table, in which it is found
    bool inherited = false;        // as in CachedArena
    Mapping mapping[2];            // of a dedicated segment
    CachedArena* arena = nullptr;  // or the arena it lies in

    void forget_signal() {
        signal.store(nullptr, std::memory_order_release);
        signal_mapping.set(nullptr);
    }

    bool is(const RegionId& id) const {
        return id_micros.load(std::memory_order_acquire) == id.micros &&
               id_random.load(std::memory_order_relaxed) == id.random;
    }
};

// Maps region ids to CachedRegion. find() takes no lock and may run concurrently with one writer.
class RegionCache {
  public:
    RegionCache();

    CachedRegion* find(const RegionId& id) const {
        const auto* table = table_.load(std::memory_order_acquire);
        const auto start = std::hash<RegionId>{}(id);
        for (std::size_t i = 0; i < kProbes; ++i) {
            auto* entry = table->cells[(start + i) & table->mask].load(std::memory_order_acquire);
            if (!entry) return nullptr;
            if (entry->is(id)) return entry;
        }
        return nullptr;
    }

    // ---- under the client's mutex
    // The entry of `id`, created if necessary.
    CachedRegion& at(const RegionId& id);
    // Drops up to `count` entries whose regions are not granted any more, with their mappings.
    void purge(const layout::LeasePage& lease, std::size_t count);
    // The arena, created if necessary (then unmapped). Drops the arenas that were idle longest if
    // there are many.
    CachedArena& arena(std::uint64_t id);
    // Assigns the entry to its arena; an entry without an arena has its own mappings.
    static void locate(CachedRegion& entry, CachedArena* arena);
    template <typename Look>
    void each(Look look) const {
        for (const auto& entry : pool_)
            if (entry.in_use) look(entry);
    }
    template <typename Change>
    void each(Change change) {
        for (auto& entry : pool_)
            if (entry.in_use) change(entry);
    }
    std::size_t size() const { return pool_.size() - unused_.size(); }
    std::size_t cells() const { return tables_.back()->cells.size(); }
    // In a forked child: forgets the mappings that it did not inherit.
    void abandon();
    // Marks the region's mappings as inherited by children or not, and tells the kernel.
    static Status let_inherit(CachedRegion& entry, bool inherited);

  private:
    static constexpr std::size_t kProbes = 32;
    struct Table {
        explicit Table(std::size_t size) : cells(size), mask(size - 1) {}
        std::vector<std::atomic<CachedRegion*>> cells;
        std::size_t mask;
    };
    bool insert(Table& table, CachedRegion* entry);
    void grow();

    std::atomic<const Table*> table_;
    std::vector<std::unique_ptr<Table>>
        tables_;                     // the last one is current; readers may still use the others
    std::deque<CachedRegion> pool_;  // addresses are stable
    std::vector<CachedRegion*> unused_;
    std::unordered_map<std::uint64_t, CachedArena> arenas_;
    std::uint64_t clock_ = 0;
    std::size_t hand_ = 0;  // where the next purge goes on
};

}  // namespace snakepit::shm
