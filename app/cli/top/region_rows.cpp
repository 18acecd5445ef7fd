// SPDX-License-Identifier: MIT
#include "top/region_rows.h"

#include <algorithm>

namespace snakepit::shm::cli {

namespace {

Identity identity_of(const RegionRow& row) {
    return {row.info.id.micros, row.info.id.random};
}

// Ages are negated times, so that "highest first" is the oldest.
std::int64_t rank_of(const RegionRow& row, SortKey key) {
    switch (key) {
        case SortKey::size:
            return static_cast<std::int64_t>(row.info.size);
        case SortKey::references:
            return static_cast<std::int64_t>(row.info.reference_count);
        case SortKey::age:
            return -row.info.created_at.micros;
        case SortKey::used:
            return row.info.last_accessed.micros;
        case SortKey::holders:
            return row.holders;
        case SortKey::name:
            break;
    }
    return -static_cast<std::int64_t>(row.info.id.micros);  // from A to Z
}

}  // namespace

void Sorting::choose(SortKey wanted) {
    reversed = wanted == key && !reversed;
    key = wanted;
}

void RegionRows::take(RegistryDelta delta, Timestamp at) {
    at_ = at;
    if (delta.reset) {
        entries_.clear();
        place_.clear();
    }
    for (const auto slot : delta.vacated) erase(slot);
    for (auto& row : delta.changed) put(std::move(row));
    if (filter_.depends_on_time())
        for (auto& entry : entries_) match(entry);
    count();
}

Status RegionRows::set_filter(const std::string& text) {
    SHM_ASSIGN(filter_, RegionFilter::parse(text));
    filter_text_ = text;
    for (auto& entry : entries_) match(entry);
    count();
    return {};
}

const RegionRow* RegionRows::find(const RegionId& id) const {
    const auto it = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& entry) { return entry.row.info.id == id; });
    return it == entries_.end() ? nullptr : &it->row;
}

void RegionRows::put(RegionRow row) {
    const auto [it, fresh] =
        place_.try_emplace(row.slot, static_cast<std::uint32_t>(entries_.size()));
    if (fresh) entries_.emplace_back();
    auto& entry = entries_[it->second];
    entry.row = std::move(row);
    entry.prepared.clear();
    match(entry);
}

void RegionRows::erase(std::uint32_t slot) {
    const auto it = place_.find(slot);
    if (it == place_.end()) return;
    const auto index = it->second;
    place_.erase(it);
    if (index + 1 < entries_.size()) {
        entries_[index] = std::move(entries_.back());
        place_[entries_[index].row.slot] = index;
    }
    entries_.pop_back();
}

void RegionRows::match(Entry& entry) {
    if (filter_.empty()) {
        entry.matches = true;
        return;
    }
    if (entry.prepared.empty()) entry.prepared = RegionFilter::search_text(entry.row.info);
    entry.matches = filter_.matches(entry.row.info, at_, entry.prepared);
}

void RegionRows::count() {
    totals_ = {};
    totals_.regions = entries_.size();
    for (const auto& entry : entries_) {
        totals_.orphans += entry.row.info.state == RegionState::orphan ? 1 : 0;
        totals_.references += entry.row.info.reference_count;
        totals_.matching += entry.matches ? 1 : 0;
    }
}

Ranking RegionRows::ranking(SortKey key) const {
    Ranking out;
    out.reserve(totals_.matching);
    for (std::uint32_t i = 0; i < entries_.size(); ++i)
        if (entries_[i].matches)
            out.add({rank_of(entries_[i].row, key), identity_of(entries_[i].row), i});
    return out;
}

RegionRows::Page RegionRows::page(Cursor& cursor, std::size_t lines, const Sorting& sorting) const {
    auto ranked = ranking(sorting.key);
    const auto chosen = ranked.page(cursor, lines, sorting.reversed);
    Page out{{}, chosen.first, chosen.chosen};
    for (const auto index : chosen.indexes) out.rows.push_back(&entries_[index].row);
    return out;
}

std::vector<const RegionRow*> RegionRows::all(const Sorting& sorting) const {
    std::vector<const RegionRow*> out;
    for (const auto index : ranking(sorting.key).all(sorting.reversed))
        out.push_back(&entries_[index].row);
    return out;
}

}  // namespace snakepit::shm::cli
