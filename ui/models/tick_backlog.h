// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "ui/models/region_store.h"
#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// Ticks that are not shown yet, as one; and how many regions came and went in them.
class TickBacklog {
  public:
    void begin(const RegionStore& shown);
    // The same, and take() will bring all regions, and what `whole` says otherwise.
    void begin(const RegionStore& shown, SourceTick whole);
    void add(SourceTick tick);
    std::optional<SourceTick> take();  // none: there was no tick
    std::uint64_t came() const { return came_; }
    std::uint64_t went() const { return went_; }

  private:
    void count(const RegistryDelta& delta);

    std::optional<SourceTick> tick_;
    std::map<Slot, RegionRow> changed_;   // of tick_
    std::set<Slot> vacated_;              // of tick_
    std::map<Slot, std::uint64_t> live_;  // generations, after all ticks
    std::uint64_t came_ = 0, went_ = 0;
};

}  // namespace snakepit::shm::ui
