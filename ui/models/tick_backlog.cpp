// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/tick_backlog.h"

#include <utility>

namespace snakepit::shm::ui {

void TickBacklog::begin(const RegionStore& shown) {
    take();
    came_ = went_ = 0;
    for (Slot slot = 0; slot < shown.frontier(); ++slot)
        if (const auto* entry = shown.at(slot)) live_.emplace(slot, entry->row.generation);
}

void TickBacklog::begin(const RegionStore& shown, SourceTick whole) {
    begin(shown);
    for (Slot slot = 0; slot < shown.frontier(); ++slot)
        if (const auto* entry = shown.at(slot)) changed_.emplace(slot, entry->row);
    tick_ = std::move(whole);
}

void TickBacklog::count(const RegistryDelta& delta) {
    if (delta.reset) {
        went_ += live_.size();
        live_.clear();
    }
    for (const auto slot : delta.vacated) went_ += live_.erase(slot);
    for (const auto& row : delta.changed) {
        const auto [place, is_new] = live_.try_emplace(row.slot, row.generation);
        if (!is_new && place->second == row.generation) continue;
        ++came_;
        went_ += is_new ? 0 : 1;
        place->second = row.generation;
    }
}

void TickBacklog::add(SourceTick tick) {
    count(tick.delta);
    if (tick.delta.reset) {
        changed_.clear();
        vacated_.clear();
    } else if (tick_) {
        auto samples = std::move(tick_->samples);
        samples.insert(samples.end(), tick.samples.begin(), tick.samples.end());
        tick.samples = std::move(samples);
        tick.delta.reset = tick_->delta.reset;
        if (!tick.timings) tick.timings = std::move(tick_->timings);
    }
    for (const auto slot : tick.delta.vacated) {
        changed_.erase(slot);
        vacated_.insert(slot);
    }
    for (auto& row : tick.delta.changed) {
        vacated_.erase(row.slot);
        changed_.insert_or_assign(row.slot, std::move(row));
    }
    tick_ = std::move(tick);
}

std::optional<SourceTick> TickBacklog::take() {
    auto tick = std::exchange(tick_, std::nullopt);
    if (tick) {
        tick->delta.vacated.assign(vacated_.begin(), vacated_.end());
        tick->delta.changed.clear();
        for (auto& [slot, row] : changed_) tick->delta.changed.push_back(std::move(row));
    }
    changed_.clear();
    vacated_.clear();
    live_.clear();
    return tick;
}

}  // namespace snakepit::shm::ui
