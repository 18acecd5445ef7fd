// SPDX-License-Identifier: MIT
// Access policies as data: who may do what with a region, who has which role, and each user's
// quota. SecurityController (security/) evaluates them for a process.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/region.h"
#include "base/result.h"

namespace snakepit::shm {

// `write` includes `read`: memory that can be written can be read.
enum class Right : std::uint8_t { read = 1, write = 2, manage = 4 };
std::string_view to_string(Right value);
std::optional<Right> parse_right(std::string_view text);

class Rights {
  public:
    constexpr Rights() = default;
    constexpr bool has(Right right) const { return (bits_ & static_cast<unsigned>(right)) != 0; }
    constexpr void add(Right right) {
        bits_ |= static_cast<unsigned>(right);
        if (right == Right::write) bits_ |= static_cast<unsigned>(Right::read);
    }
    constexpr bool covers(Rights other) const { return (bits_ & other.bits_) == other.bits_; }
    constexpr bool empty() const { return bits_ == 0; }
    friend bool operator==(const Rights&, const Rights&) = default;

  private:
    unsigned bits_ = 0;
};

// Applies to a process that meets every condition it names; without conditions, to all processes.
struct PolicyRule {
    std::string user, group;   // by name or number; empty: any
    std::string program;       // the executable's absolute path; empty: any
    std::int64_t process = 0;  // process id; 0: any
    // Start time of that process in clock ticks since boot, because process ids are reused. 0: not
    // looked up yet; -1: of an earlier boot, so it matches no process.
    std::int64_t process_start = 0;
    Rights allow;

    bool for_everybody() const {
        return user.empty() && group.empty() && program.empty() && process == 0;
    }
    friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};

// Permissions by owner, group and others, as for a file. Rules only add to them; everything else is
// refused.
struct Policy {
    PermissionSet permissions;
    std::vector<PolicyRule> rules;
    bool require_encryption = false;
    bool audit = false;  // each access is recorded

    // Only its user may read and write. Such regions may share a segment with other regions of that
    // user.
    bool plain() const { return *this == Policy{}; }
    friend bool operator==(const Policy&, const Policy&) = default;
};

inline constexpr std::size_t kMaxPolicyRules = 64;
inline constexpr std::size_t kMaxPolicyBytes = std::size_t{16} * 1024;  // as JSON

// False: `now` may refuse something that `before` allowed. True is certain.
bool allows_as_much(const Policy& now, const Policy& before);

// {"permissions":{…},"rules":[…],"require_encryption":…,"audit":…}
std::string to_json(const Policy& policy);
// A short text for an event: "read_write/none/none, 2 rules, audited".
std::string summary(const Policy& policy);

// Checks one rule on its own: it grants a right, its path is absolute, its names are not too long.
// The message of an error begins with `where`.
Status check_rule(const PolicyRule& rule, std::string_view where);

// User names, or group names with a leading '@'. The service's user and root are always
// administrators.
struct Roles {
    std::vector<std::string> administrators;  // everything but the contents
    std::vector<std::string> operators;       // see everything and clean up
    friend bool operator==(const Roles&, const Roles&) = default;
};

// No value: the general limit applies. 0: no limit.
struct Quota {
    std::optional<std::uint32_t> max_regions;
    std::optional<std::uint64_t> max_memory;  // bytes
    friend bool operator==(const Quota&, const Quota&) = default;
};
// By user, by '@' and group, or "default".
using Quotas = std::map<std::string, Quota>;

}  // namespace snakepit::shm
