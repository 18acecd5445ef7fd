// SPDX-License-Identifier: MIT
#include "client/stash.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/time.h"
#include "layout/registry_layout.h"
#include "platform/mapped_file.h"
#include "platform/memory_limit.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::uint32_t kAskedBefore = 8;  // allocations of a size, before any are granted ahead
constexpr std::uint32_t kFirst = 4, kMost = 64;
constexpr std::uint64_t kLargest = 4 << 20;  // larger ones are never granted ahead
constexpr std::uint64_t kShare = 16;         // one part in this many of what is left may be taken
constexpr std::int64_t kLookEvery = 100'000'000;

}  // namespace

Stash::Kind* Stash::find(std::uint64_t size) {
    const auto found = std::find_if(kinds_.begin(), kinds_.end(),
                                    [size](const Kind& kind) { return kind.size == size; });
    return found == kinds_.end() ? nullptr : &*found;
}

std::optional<RegionId> Stash::claim(std::uint64_t size) {
    for (;;) {
        CachedRegion* entry = nullptr;
        {
            const std::lock_guard held(mutex_);
            auto* const kind = find(size);
            if (!kind || kind->idle.empty()) return std::nullopt;
            entry = kind->idle.back();
            kind->idle.pop_back();
        }
        const auto generation = entry->generation.load(std::memory_order_relaxed);
        if (!lease_.claim(entry->slot.load(std::memory_order_relaxed), generation)) {
            entry->own.store(false, std::memory_order_release);  // the manager withdrew it
            continue;
        }
        const RegionId id{entry->id_micros.load(std::memory_order_relaxed),
                          entry->id_random.load(std::memory_order_relaxed)};
        // Written by this client alone: a region that others were granted does not come back here.
        if (std::exchange(entry->dirty, false)) std::memset(entry->place, 0, size);
        return id;
    }
}

std::uint32_t Stash::wanted(std::uint64_t size) {
    if (size == 0 || size > kLargest) return 0;
    const std::lock_guard held(mutex_);
    auto* kind = find(size);
    if (!kind) {
        // Its slots are left to the manager, which withdraws what is not used.
        kind = &kinds_[next_++ % kKinds];
        for (auto* entry : kind->idle) entry->own.store(false, std::memory_order_release);
        *kind = {size, 0, 0, {}};
    }
    if (++kind->asked <= kAskedBefore) return 0;
    kind->wanted = std::clamp(2 * kind->wanted, kFirst, kMost);
    return kind->wanted;
}

// The swap makes this thread the only one that may change the entry: no other thread can claim the
// slot before it is in `idle` again.
bool Stash::recycle(CachedRegion& entry, const RegionId& id) {
    const auto slot = entry.slot.load(std::memory_order_relaxed);
    const auto generation = entry.generation.load(std::memory_order_acquire);
    if (!entry.own.load(std::memory_order_acquire) || !entry.is(id) ||
        stashed_micros(id.micros, generation) != id.micros || !lease_.recycle(slot, generation))
        return false;
    bool dirty = false;
    for (auto& data : entry.data)
        dirty |= data.exchange(nullptr, std::memory_order_relaxed) != nullptr;
    entry.dirty = dirty;
    entry.generation.store(generation + 1, std::memory_order_relaxed);
    entry.id_micros.store(stashed_micros(id.micros, generation + 1), std::memory_order_release);
    const auto size = entry.size.load(std::memory_order_relaxed);
    const std::lock_guard held(mutex_);
    if (auto* const kind = find(size))
        kind->idle.push_back(&entry);
    else
        entry.own.store(false, std::memory_order_release);
    return true;
}

bool Stash::take_memory(const std::vector<CachedRegion*>& slots) {
    if (slots.empty()) return true;
    const auto size = slots.front()->size.load(std::memory_order_relaxed);
    const auto pages = page_up(size);
    const auto wanted = pages * slots.size();
    if (const auto at = monotonic_nanos(); at >= left_until_ || wanted > left_) {
        MemoryLimit limit;  // kept for no longer than this: it holds descriptors
        left_ = limit.left().bytes / kShare;
        left_until_ = at + kLookEvery;
    }
    bool taken = wanted <= left_;
    if (taken) left_ -= wanted;
    for (auto* const slot : slots) taken = taken && take_pages(slot->place, pages);
    if (taken) return true;
    // As before the first allocation of this size: the manager is not asked for more at once.
    const std::lock_guard held(mutex_);
    if (auto* const kind = find(size)) kind->asked = kind->wanted = 0;
    return false;
}

void Stash::add(CachedRegion& entry) {
    const std::lock_guard held(mutex_);
    entry.dirty = false;
    auto* const kind = find(entry.size.load(std::memory_order_relaxed));
    if (!kind) return;
    entry.own.store(true, std::memory_order_release);
    kind->idle.insert(kind->idle.begin(), &entry);
}

}  // namespace snakepit::shm
