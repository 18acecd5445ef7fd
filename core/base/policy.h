// SPDX-License-Identifier: MIT
// The specification's access policies as data: who may do what with a region, who has which role,
// how much whose regions may take. What they come to for a given process is decided in security/.
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

// `write` comes with `read`: memory that can be written can be read.
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

// Holds for a process that meets every condition it names; without any it holds for everybody.
struct PolicyRule {
    std::string user, group;   // by name or number; empty: any
    std::string program;       // the executable's absolute path; empty: any
    std::int64_t process = 0;  // process id; 0: any
    // Start time of that process, clock ticks since boot: a number that is given out again names
    // another process. 0: not looked up yet; -1: of an earlier boot, and so nobody's.
    std::int64_t process_start = 0;
    Rights allow;

    bool for_everybody() const {
        return user.empty() && group.empty() && program.empty() && process == 0;
    }
    friend bool operator==(const PolicyRule&, const PolicyRule&) = default;
};

// The permissions are by owner, group and others as for a file; the rules only add to them, and
// everything else is refused.
struct Policy {
    PermissionSet permissions;
    std::vector<PolicyRule> rules;
    bool require_encryption = false;
    bool audit = false;  // each access is recorded

    // Its user alone, reading and writing: such regions may share memory with others of that user.
    bool plain() const { return *this == Policy{}; }
    friend bool operator==(const Policy&, const Policy&) = default;
};

inline constexpr std::size_t kMaxPolicyRules = 64;
inline constexpr std::size_t kMaxPolicyBytes = std::size_t{16} * 1024;  // as JSON

// False: `now` may refuse somebody what `before` allowed. True is certain.
bool allows_as_much(const Policy& now, const Policy& before);

// {"permissions":{…},"rules":[…],"require_encryption":…,"audit":…}
std::string to_json(const Policy& policy);
// A few words for an event: "read_write/none/none, 2 rules, audited".
std::string summary(const Policy& policy);

// What is wrong with a rule by itself: no right, no absolute path, a name too long. The message
// begins with `where`.
Status check_rule(const PolicyRule& rule, std::string_view where);

// Names of users, or of groups behind an '@'; the service's own user and root always administer.
struct Roles {
    std::vector<std::string> administrators;  // everything but the contents
    std::vector<std::string> operators;       // see everything and clean up
    friend bool operator==(const Roles&, const Roles&) = default;
};

// Nothing: what holds for everybody. 0: no limit.
struct Quota {
    std::optional<std::uint32_t> max_regions;
    std::optional<std::uint64_t> max_memory;  // bytes
    friend bool operator==(const Quota&, const Quota&) = default;
};
// By user, '@' and group, or "default".
using Quotas = std::map<std::string, Quota>;

}  // namespace snakepit::shm
