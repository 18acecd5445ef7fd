// SPDX-License-Identifier: MIT
#include "memory/cleaner.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

// Milliseconds after a time, in microseconds; what lies beyond a few thousand years is never
// reached.
std::int64_t later(std::int64_t time, std::int64_t ms) {
    constexpr std::int64_t never = 1'000'000'000'000'000;
    return time + std::min(ms, never) * 1000;
}

struct Deadline {
    std::int64_t at;
    std::string reason;
};

// Short: an event has room for 71 bytes of it.
std::string orphan_reason(const IdleRegion& region) {
    if (region.worker.empty() && region.session.empty())
        return "orphan: its owner is gone and nobody holds it";
    std::string who;
    if (!region.worker.empty()) who = fmt::format("worker {}", region.worker);
    if (!region.session.empty())
        who += fmt::format("{}session {}", who.empty() ? "" : ", ", region.session);
    return fmt::format("orphan of {}", who);
}

std::string expired_reason(const IdleRegion& region) {
    return fmt::format("expired: unused for its timeout of {}", format_duration(region.timeout_ms));
}

}  // namespace

Cleaner::Verdict Cleaner::judge(const IdleRegion& region, std::int64_t at) const {
    if (region.withdrawn) return {true, "deallocated", {}};
    if (region.damaged) return {false, "damaged; look at it, then deallocate it", {}};
    std::optional<Deadline> first;
    const auto consider = [&](std::int64_t when, std::string reason) {
        if (!first || when < first->at) first = {when, std::move(reason)};
    };
    switch (region.policy) {
        case CleanupPolicy::manual:
            return {false, "its policy is manual", {}};
        case CleanupPolicy::reference_counted:
            consider(later(region.idle_since, grace_ms), "the last reference was given back");
            break;
        case CleanupPolicy::automatic:
            if (region.owner_gone_since)
                consider(later(std::max(region.idle_since, *region.owner_gone_since), grace_ms),
                         orphan_reason(region));
            if (region.timeout_ms > 0)
                consider(later(region.idle_since, region.timeout_ms), expired_reason(region));
            break;
    }
    if (!first) return {false, "nothing ends it: its owner lives and it has no timeout", {}};
    if (first->at <= at) return {true, std::move(first->reason), {}};
    return {false, fmt::format("due in {}", format_duration((first->at - at) / 1000)), first->at};
}

Cleaner::Verdict Cleaner::judge(const IdleRegion& region, const CleanupRequest& request,
                                std::int64_t at) const {
    if (region.damaged && !region.withdrawn) return judge(region, at);
    if (request.all_eligible) return {true, "nobody holds it", {}};
    if (request.orphans && region.owner_gone_since) return {true, orphan_reason(region), {}};
    if (request.expired && region.timeout_ms > 0 &&
        later(region.idle_since, region.timeout_ms) <= at)
        return {true, expired_reason(region), {}};
    if (request.orphans || request.expired)
        return {false, region.owner_gone_since ? "not expired" : "its owner lives", {}};
    if (request.due) return judge(region, at);
    if (request.scoped() && region.policy == CleanupPolicy::manual)
        return {false, "its policy is manual; --all-eligible takes it too", {}};
    if (request.scoped() || !request.only.empty()) return {true, "nobody holds it", {}};
    return judge(region, at);
}

}  // namespace snakepit::shm
