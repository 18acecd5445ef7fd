// SPDX-License-Identifier: GPL-3.0-or-later
// What a person was shown of a region before something was done to it.
#pragma once

#include <vector>

#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// One process until the next boot: numbers are used again.
struct HolderIdentity {
    std::int64_t pid = 0;
    std::int64_t start_time = 0;  // clock ticks since boot; 0: not known
    friend bool operator==(const HolderIdentity&, const HolderIdentity&) = default;
};

struct ObservedRegion {
    RegionInfo info;
    std::vector<HolderIdentity> holders;  // of info.references
};

// As the manager knows it at this moment. Worker threads.
Result<ObservedRegion> observe_region(ManagerPort& manager, const RegionId& id);

// A process holds it that was not shown.
bool has_other_holders(const ObservedRegion& shown, const ObservedRegion& now);

struct DeallocateOutcome {
    // Others hold it now than was shown: nothing was done.
    std::optional<ObservedRegion> changed;
    Result<bool> freed = false;  // otherwise: see ManagerPort::deallocate()
};
// Observes the region again and deallocates it only as it was shown. Worker threads.
DeallocateOutcome deallocate_as_shown(ManagerPort& manager, const ObservedRegion& shown,
                                      bool force);

}  // namespace snakepit::shm::ui
