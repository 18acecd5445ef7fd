// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/observed_region.h"

#include <algorithm>

namespace snakepit::shm::ui {

Result<ObservedRegion> observe_region(ManagerPort& manager, const RegionId& id) {
    SHM_ASSIGN(auto info, manager.info(id));
    ObservedRegion out{std::move(info), {}};
    for (const auto& holder : out.info.references)
        out.holders.push_back({holder.pid, manager.start_time_of(holder.pid)});
    return out;
}

bool has_other_holders(const ObservedRegion& shown, const ObservedRegion& now) {
    const auto& known = shown.holders;
    return (shown.info.reference_count == 0 && now.info.reference_count > 0) ||
           // Of many holders not all are named.
           now.info.holder_count > std::max<std::uint64_t>(shown.info.holder_count, known.size()) ||
           std::any_of(now.holders.begin(), now.holders.end(), [&known](const auto& holder) {
               return std::find(known.begin(), known.end(), holder) == known.end();
           });
}

DeallocateOutcome deallocate_as_shown(ManagerPort& manager, const ObservedRegion& shown,
                                      bool force) {
    auto now = observe_region(manager, shown.info.id);
    if (!now) return {{}, fail(now.error())};
    if (has_other_holders(shown, *now)) return {std::move(*now), false};
    return {{}, manager.deallocate(shown.info.id, force)};
}

}  // namespace snakepit::shm::ui
