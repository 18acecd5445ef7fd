// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/region.h"

namespace snakepit::shm {

// The facts about a region without references.
struct IdleRegion {
    CleanupPolicy policy = CleanupPolicy::automatic;
    OwnerEnd owner_end = OwnerEnd::automatic;
    bool withdrawn = false;  // deallocated
    bool damaged = false;
    std::int64_t idle_since = 0;  // last reference released, or allocated; microseconds
    std::optional<std::int64_t> owner_gone_since;
    std::int64_t timeout_ms = 0;       // 0: never
    std::string_view worker, session;  // that allocated it; may be empty
};

// Cleaner: decides when a region ends. Stateless; called only for regions that are not held.
class Cleaner {
  public:
    std::int64_t grace_ms = 5000;

    struct Verdict {
        bool due = false;
        std::string reason;                    // why it ends now, or why it stays
        std::optional<std::int64_t> deadline;  // when to check again, microseconds
    };
    // clang-format off
    // | policy            | last reference released | unused for its timeout |
    // | automatic         | stays                   | freed                  |
    // | reference_counted | freed after the grace   | -                      |
    // | manual            | stays                   | -                      |
    // clang-format on
    // When its owner has ended, an orphan with `grace` is freed after the grace period unless it is
    // reference_counted. Whatever the policy, a region is freed at once when it was withdrawn.
    // Without `explain`, no reason is generated for a region that stays.
    Verdict judge(const IdleRegion& region, std::int64_t at, bool explain = true) const;

    // Whether a cleanup requested by a person includes the region. Called only for regions in its
    // scope.
    Verdict judge(const IdleRegion& region, const CleanupRequest& request, std::int64_t at) const;
};

}  // namespace snakepit::shm
