// SPDX-License-Identifier: MIT
#include "memory/cleaner.h"

#include <algorithm>
#include <limits>

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

// Short: an event has room for 71 bytes of it.
std::string orphan_reason(const IdleRegion& region) {
    if (region.worker.empty() && region.session.empty())
        return "orphan: its owner has exited and no process holds it";
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

Cleaner::Verdict Cleaner::judge(const IdleRegion& region, std::int64_t at, bool explain) const {
    if (region.withdrawn) return {true, "deallocated", {}};
    if (region.damaged) return {false, "damaged; inspect it, then deallocate it", {}};
    const bool manual = region.policy == CleanupPolicy::manual;
    const bool kept = resolved(region.owner_end, region.policy) == OwnerEnd::keep;
    if (manual && (kept || !region.owner_gone_since))
        return {false, "its cleanup policy is manual", {}};
    constexpr auto kNever = std::numeric_limits<std::int64_t>::max();
    const bool counted = region.policy == CleanupPolicy::reference_counted;
    auto abandoned = kNever, expired = kNever;
    if (counted)
        abandoned = later(region.idle_since, grace_ms);
    else if (region.owner_gone_since && !kept)
        abandoned = later(std::max(region.idle_since, *region.owner_gone_since), grace_ms);
    if (!counted && !manual && region.timeout_ms > 0)
        expired = later(region.idle_since, region.timeout_ms);
    const auto first = std::min(abandoned, expired);
    if (first == kNever)
        return {false,
                region.owner_gone_since
                    ? "not eligible: it is kept after the end of its owner, and has no timeout"
                    : "not eligible: its owner is running and it has no timeout",
                {}};
    if (first > at) {
        if (!explain) return {false, {}, first};
        return {false, fmt::format("due in {}", format_duration((first - at) / 1000)), first};
    }
    if (expired < abandoned) return {true, expired_reason(region), {}};
    return {true, counted ? "the last reference was released" : orphan_reason(region), {}};
}

Cleaner::Verdict Cleaner::judge(const IdleRegion& region, const CleanupRequest& request,
                                std::int64_t at) const {
    if (region.damaged && !region.withdrawn) return judge(region, at);
    if (request.all_eligible) return {true, "no process holds it", {}};
    if (request.orphans && region.owner_gone_since) return {true, orphan_reason(region), {}};
    if (request.expired && region.timeout_ms > 0 &&
        later(region.idle_since, region.timeout_ms) <= at)
        return {true, expired_reason(region), {}};
    if (request.orphans || request.expired)
        return {false, region.owner_gone_since ? "not expired" : "its owner is running", {}};
    if (request.due) return judge(region, at);
    if (request.scoped() && region.policy == CleanupPolicy::manual)
        return {false, "its cleanup policy is manual; --all-eligible includes it", {}};
    if (request.scoped() || !request.only.empty()) return {true, "no process holds it", {}};
    return judge(region, at);
}

}  // namespace snakepit::shm
