// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "events/region_history.h"
#include "ui/models/region_store.h"
#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// What was recorded of one moment.
struct Past {
    PastState state;
    std::vector<layout::Sample> samples;  // of the time before it and up to it, oldest first
    // The last of the samples is of this moment: a manager was running and measured.
    bool measured = false;
};

// Adds the metrics that the pages show, as samples; fields without a recorded metric are 0.
Status add_samples(Past& past, HistoryPort& history);

// All regions of the store.
std::shared_ptr<const std::vector<RegionInfo>> present_in(const RegionStore& shown);

// The rows of a past moment for the store that shows those of now: regions keep their rows from one
// moment to the next. GUI thread.
class PastRows {
  public:
    // What is shown now; it explains what no event tells.
    explicit PastRows(const RegionStore& shown);

    // From what was shown before to this state.
    RegistryDelta show(const PastState& state);
    // Back to `rows`.
    RegistryDelta leave(std::vector<RegionRow> rows) const;
    // Those that exist now.
    std::shared_ptr<const std::vector<RegionInfo>> present() const { return present_; }

  private:
    struct Shown {
        RegionKey key;
        std::shared_ptr<const PastRegion> region;
    };
    RegionKey new_key();
    RegionRow row_of(const PastRegion& region, const RegionKey& key) const;

    std::shared_ptr<const std::vector<RegionInfo>> present_;
    std::unordered_map<RegionId, std::size_t> place_;  // in present_
    std::unordered_map<RegionId, RegionKey> keys_;     // of those that exist now
    std::unordered_map<RegionId, Shown> shown_;
    std::vector<Slot> free_;
    Slot next_ = 0;
    std::uint64_t generation_ = 0;  // of regions that do not exist now
};

// The programs of that moment as the registry lists them.
std::vector<ClientInfo> clients_of(const PastState& state);

// The alerts as they were then: pending or firing, or resolved in the hour before.
std::vector<Alert> alerts_at(const std::vector<Alert>& alerts, Timestamp moment);

}  // namespace snakepit::shm::ui
