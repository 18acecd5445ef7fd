// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/region.h"

namespace snakepit::shm {

// What is known about a region nobody holds.
struct IdleRegion {
    CleanupPolicy policy = CleanupPolicy::automatic;
    bool withdrawn = false;  // deallocated
    bool damaged = false;
    std::int64_t idle_since = 0;  // last reference given back, or made; microseconds
    std::optional<std::int64_t> owner_gone_since;
    std::int64_t timeout_ms = 0;       // 0: never
    std::string_view worker, session;  // that made it; may be empty
};

// The specification's Cleaner decides when a region ends. Stateless; it never looks at a held one.
class Cleaner {
  public:
    std::int64_t grace_ms = 5000;

    struct Verdict {
        bool due = false;
        std::string reason;                    // of ending now, or of staying
        std::optional<std::int64_t> deadline;  // when to ask again, microseconds
    };
    // clang-format off
    // | policy            | last reference given back | owner gone              | unused for timeout |
    // | automatic         | stays                     | cleaned after the grace | cleaned            |
    // | reference_counted | cleaned after the grace   | as its references fall  | –                  |
    // | manual            | stays                     | stays, shown as orphan  | –                  |
    // and, whatever the policy, at once when it was deallocated.
    // clang-format on
    // Without `explain` a region that stays is given no reason: nobody will read it.
    Verdict judge(const IdleRegion& region, std::int64_t at, bool explain = true) const;

    // Whether a cleanup that a person asks for takes it. Not asked about what it does not look at.
    Verdict judge(const IdleRegion& region, const CleanupRequest& request, std::int64_t at) const;
};

}  // namespace snakepit::shm
