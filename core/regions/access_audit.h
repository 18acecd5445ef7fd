// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "regions/service_state.h"

namespace snakepit::shm {

// Regions whose accesses are recorded: each passes the manager, because a grant ends with the last
// reference, and none begins while it could not be recorded. Service thread only.
class AccessAudit : RegionPart {
  public:
    explicit AccessAudit(ServiceState& state) : RegionPart(state) {}

    bool applies(std::uint32_t slot) const {
        return (registry_.body(slot).flags & layout::kAudited) != 0;
    }
    // audit_unavailable: it must not begin.
    Status may_begin(std::uint32_t slot) const;
    void begun(std::uint32_t slot, const Credentials& by, AccessMode access) const;
    // Records the accesses that ended. A grant that was not used for a second, or with `all` at
    // once, is withdrawn. When to check again, in microseconds; none: with the next change.
    std::optional<std::int64_t> settle(std::uint32_t slot, std::int64_t at, bool all = false);
    void ended(std::uint32_t slot, std::int64_t pid, std::uint32_t uid,
               std::string_view process) const;

    static constexpr std::int64_t kIdleMicros = 1'000'000;

  private:
    std::unordered_map<std::uint32_t, std::int64_t> idle_since_;  // by slot
};

}  // namespace snakepit::shm
