// SPDX-License-Identifier: MIT
#include "client/delegations.h"

#include <utility>

namespace snakepit::shm {

Delegations::Entry* Delegations::entry_of(const RegionId& id) const {
    if (!owned_) return nullptr;
    Known known;
    for (auto& entry : (*owned_)[set_of(id)])
        if (read(entry, id, known)) return &entry;
    return nullptr;
}

std::optional<Delegations::Replaced> Delegations::remember(const RegionId& id, const Known& known) {
    if (!owned_) {
        owned_ = std::make_unique<Table>();
        table_.store(owned_.get(), std::memory_order_release);
    }
    std::optional<Replaced> replaced;
    auto* entry = entry_of(id);
    if (!entry) {
        auto& set = (*owned_)[set_of(id)];
        for (auto& other : set)
            if (!entry && !content(other).id.valid()) entry = &other;
        if (!entry) {
            entry = &set[next_++ % kWays];
            replaced = content(*entry);
        }
    }
    const auto version = entry->version.load(std::memory_order_relaxed);
    entry->version.store(version + 1, std::memory_order_relaxed);
    // Release: whoever reads one of the following also sees the odd version.
    entry->micros.store(id.micros, std::memory_order_release);
    entry->random.store(id.random, std::memory_order_release);
    entry->slot.store(known.slot, std::memory_order_release);
    entry->base.store(known.base, std::memory_order_release);
    entry->writable.store(known.writable, std::memory_order_release);
    entry->version.store(version + 2, std::memory_order_release);
    entry->taken_over = 0;
    return replaced;
}

bool Delegations::take_over(const RegionId& id, std::uint64_t token) {
    auto* const entry = entry_of(id);
    return entry && std::exchange(entry->taken_over, token) != token;
}

}  // namespace snakepit::shm
