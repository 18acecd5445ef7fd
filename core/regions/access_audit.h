// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "platform/channel.h"
#include "registry/reference_counter.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// Regions whose accesses are recorded: each passes the manager, because a grant ends with the last
// reference, and none begins while it could not be recorded. RegionService thread only.
class AccessAudit {
  public:
    AccessAudit(RegionRegistry& registry, GrantTable& grants, ReferenceCounter& counter)
        : registry_(registry), grants_(grants), counter_(counter) {}

    // Why nothing can be recorded now; the manager says.
    std::function<Status()> ready = [] { return Status{}; };

    bool applies(std::uint32_t slot) const {
        return (registry_.body(slot).flags & layout::kAudited) != 0;
    }
    // audit_unavailable: it must not begin.
    Status may_begin(std::uint32_t slot) const;
    void begun(std::uint32_t slot, const Credentials& by, AccessMode access) const;
    // Records the accesses that ended. A grant that was not used for a second, or with `all` at
    // once, is taken back. When to look again, in microseconds; nothing: with the next change.
    std::optional<std::int64_t> settle(std::uint32_t slot, std::int64_t at, bool all = false);
    void ended(std::uint32_t slot, std::int64_t pid, std::uint32_t uid,
               std::string_view process) const;

    static constexpr std::int64_t kIdleMicros = 1'000'000;

  private:
    RegionRegistry& registry_;
    GrantTable& grants_;
    ReferenceCounter& counter_;
    std::unordered_map<std::uint32_t, std::int64_t> idle_since_;  // by slot
};

}  // namespace snakepit::shm
