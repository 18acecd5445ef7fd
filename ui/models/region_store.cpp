// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/region_store.h"

#include <algorithm>

#include "base/filter.h"

namespace snakepit::shm::ui {

namespace {

// Their counts are nothing to search for.
bool same_holders(const RegionInfo& a, const RegionInfo& b) {
    return std::equal(
        a.references.begin(), a.references.end(), b.references.begin(), b.references.end(),
        [](const auto& x, const auto& y) { return x.pid == y.pid && x.process == y.process; });
}

}  // namespace

const RegionEntry* RegionStore::find(const RegionKey& key) const {
    const auto* entry = at(key.slot);
    return entry && entry->row.generation == key.generation ? entry : nullptr;
}

const RegionEntry* RegionStore::find(const RegionId& id) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
        return entry && entry->row.info.id == id;
    });
    return found == entries_.end() ? nullptr : found->get();
}

// Those that vanished, those whose slot has another region now and, after a reset, all others.
std::vector<Slot> RegionStore::leaving(const RegistryDelta& delta) const {
    std::vector<Slot> out;
    if (delta.reset) {
        for (Slot slot = 0; slot < frontier(); ++slot)
            if (entries_[slot]) out.push_back(slot);
        return out;
    }
    for (const auto slot : delta.vacated)
        if (at(slot)) out.push_back(slot);
    for (const auto& row : delta.changed)
        if (const auto* entry = at(row.slot); entry && entry->row.generation != row.generation)
            out.push_back(row.slot);
    return out;
}

void RegionStore::apply(RegistryDelta delta, std::int64_t now) {
    const auto slots = leaving(delta);
    if (!slots.empty()) {
        Q_EMIT removing(slots);
        for (const auto slot : slots) entries_[slot].reset();
        size_ -= slots.size();
    }
    const bool fresh = first_ || delta.reset;
    first_ = false;
    std::vector<Slot> inserted, updated;
    for (auto& row : delta.changed) {
        const auto slot = row.slot;
        if (slot >= entries_.size()) entries_.resize(slot + 1);
        auto& entry = entries_[slot];
        if (!entry) {
            entry = std::make_unique<RegionEntry>();
            entry->appeared = fresh ? 0 : now;
            inserted.push_back(slot);
            ++size_;
        } else {
            updated.push_back(slot);
        }
        const bool same_text = !entry->search.empty() && entry->row.info.state == row.info.state &&
                               entry->row.info.metadata == row.info.metadata &&
                               entry->row.info.owner_process == row.info.owner_process &&
                               entry->row.info.worker == row.info.worker &&
                               entry->row.info.session == row.info.session &&
                               same_holders(entry->row.info, row.info);
        entry->row = std::move(row);
        if (!same_text) entry->search = RegionFilter::search_text(entry->row.info);
    }
    if (!slots.empty() || !inserted.empty() || !updated.empty()) Q_EMIT changed(inserted, updated);
}

}  // namespace snakepit::shm::ui
