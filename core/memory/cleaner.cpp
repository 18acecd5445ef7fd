// SPDX-License-Identifier: MIT
#include "memory/cleaner.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

struct Deadline {
    std::int64_t at;
    std::string reason;
};

}  // namespace

Cleaner::Verdict Cleaner::judge(const IdleRegion& region, std::int64_t at) const {
    if (region.withdrawn) return {true, "deallocated", {}};
    if (region.damaged) return {false, "damaged; look at it, then deallocate it", {}};
    std::optional<Deadline> first;
    const auto consider = [&](std::int64_t when, std::string reason) {
        if (!first || when < first->at) first = {when, std::move(reason)};
    };
    const auto grace = grace_ms * 1000;
    switch (region.policy) {
        case CleanupPolicy::manual: return {false, "its policy is manual", {}};
        case CleanupPolicy::reference_counted:
            consider(region.idle_since + grace, "the last reference was given back");
            break;
        case CleanupPolicy::automatic:
            if (region.owner_gone_since)
                consider(std::max(region.idle_since, *region.owner_gone_since) + grace, "orphan: its owner is gone and nobody holds it");
            if (region.timeout_ms > 0)
                consider(region.idle_since + region.timeout_ms * 1000,
                         fmt::format("expired: unused for its timeout of {}", format_duration(region.timeout_ms)));
            break;
    }
    if (!first) return {false, "nothing ends it: its owner lives and it has no timeout", {}};
    if (first->at <= at) return {true, std::move(first->reason), {}};
    return {false, fmt::format("due in {}", format_duration((first->at - at) / 1000)), first->at};
}

Cleaner::Verdict Cleaner::judge(const IdleRegion& region, const CleanupRequest& request, std::int64_t at) const {
    if (region.damaged && !region.withdrawn) return judge(region, at);
    if (request.all_eligible || !request.only.empty()) return {true, "nobody holds it", {}};
    if (request.orphans && region.owner_gone_since) return {true, "orphan: its owner is gone and nobody holds it", {}};
    if (request.expired && region.timeout_ms > 0 && region.idle_since + region.timeout_ms * 1000 <= at)
        return {true, fmt::format("expired: unused for its timeout of {}", format_duration(region.timeout_ms)), {}};
    if (request.orphans || request.expired) return {false, region.owner_gone_since ? "not expired" : "its owner lives", {}};
    return judge(region, at);
}

}  // namespace snakepit::shm
