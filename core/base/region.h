// SPDX-License-Identifier: MIT
// The specification's data model: what a region is, and what may be asked for when one is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace snakepit::shm {

enum class Permission : std::uint8_t { none, read_only, read_write };
enum class SecurityLevel : std::uint8_t { standard, high, maximum };
enum class CleanupPolicy : std::uint8_t { automatic, manual, reference_counted };
enum class Placement : std::uint8_t { automatic, pooled, dedicated };
enum class AccessMode : std::uint8_t { read_only, read_write };
// How a region's place in an arena is chosen.
enum class AllocationStrategy : std::uint8_t { best_fit, first_fit, worst_fit };
// What new segments are made of: files with names, memory without, or what suits each.
enum class BackingChoice : std::uint8_t { automatic, posix, memfd };

// What people are shown. `orphan` is a live region whose owner is gone; `closing` one that was
// deallocated and waits for its last reference; `damaged` one that failed its checks.
enum class RegionState : std::uint8_t { live, orphan, closing, quarantined, revoked, damaged };

std::string_view to_string(Permission value);  // "none" "read_only" "read_write"
std::string_view to_string(SecurityLevel value);
std::string_view to_string(CleanupPolicy value);
std::string_view to_string(Placement value);
std::string_view to_string(AccessMode value);
std::string_view to_string(RegionState value);

// Accept the names above, and "rw"/"ro" where a permission or an access mode is meant.
std::optional<Permission> parse_permission(std::string_view text);
std::optional<SecurityLevel> parse_security_level(std::string_view text);
std::optional<CleanupPolicy> parse_cleanup_policy(std::string_view text);
std::optional<Placement> parse_placement(std::string_view text);
std::optional<AccessMode> parse_access_mode(std::string_view text);

struct PermissionSet {
    Permission owner = Permission::read_write;
    Permission group = Permission::none;
    Permission other = Permission::none;
    friend bool operator==(const PermissionSet&, const PermissionSet&) = default;
};

inline constexpr std::size_t kMaxMetadataBytes = 1000;
inline constexpr std::size_t kMaxNameBytes = 31;     // of a worker, a pool, a session, a process
inline constexpr std::int64_t kDefaultTimeout = -1;  // "what the configuration says"

struct RegionOptions {
    PermissionSet permissions;
    std::int64_t timeout_ms = kDefaultTimeout;        // 0: never
    std::optional<SecurityLevel> security_level;      // none: what the configuration says
    AccessMode access_mode = AccessMode::read_write;  // the most any client may map it with
    CleanupPolicy cleanup_policy = CleanupPolicy::automatic;
    Placement placement = Placement::automatic;
    // True: the region belongs to the user and not to the process that asks, and so is no orphan
    // when that process ends.
    bool owned_by_user = false;
    // True: its contents and description are kept in the state directory and survive a reboot. It
    // belongs to its user then.
    bool durable = false;
    // True: every access is recorded, and refused while that is impossible. The configuration may
    // ask for it too.
    bool audit_access = false;
    std::string metadata;  // a JSON object as text, at most kMaxMetadataBytes; empty for none
    // False: `permissions`, as long as they are the plain ones, stand for what the configuration
    // says (its default policy). True: they are meant as they stand.
    bool exact_permissions = false;
};

struct RegionReference {
    std::int64_t pid = 0;
    std::string process;      // its executable's name
    std::uint64_t count = 0;  // references held; 0: mapped and idle
    bool connected = true;    // false: alive, but its connection is gone
    AccessMode access = AccessMode::read_write;
};

struct RegionInfo {
    RegionId id;
    std::uint64_t size = 0;         // bytes asked for
    std::uint64_t actual_size = 0;  // bytes reserved
    Timestamp created_at;
    Timestamp last_accessed;
    std::uint64_t access_count = 0;
    std::uint64_t reference_count = 0;
    std::int64_t owner_pid = 0;
    std::uint32_t owner_uid = 0;
    std::string owner_process;
    PermissionSet permissions;
    SecurityLevel security_level = SecurityLevel::standard;
    CleanupPolicy cleanup_policy = CleanupPolicy::automatic;
    AccessMode access_mode = AccessMode::read_write;
    std::int64_t timeout_ms = 0;  // 0: never
    std::string metadata;         // JSON object as text, or empty
    std::string platform_handle;  // "/snakepit_default_shm_…"
    RegionState state = RegionState::live;
    Placement placement = Placement::dedicated;
    std::string arena;  // empty for a dedicated region
    std::uint64_t offset = 0;
    bool sealed = false;
    bool durable = false;
    bool inconsistent = false;  // a writer died in its lock: what it left may be half written
    bool has_policy = false;    // one was set; otherwise its permissions are all there is
    // False: some who were handed the memory under the last policy may still have it. It is in
    // effect as soon as nobody holds the region.
    bool policy_in_effect = true;
    bool audit_access = false;
    std::string session, worker;
    Timestamp quarantined_until{};                // 0: it is not in quarantine
    std::vector<RegionReference> references;      // at most 256 holders are named
    std::vector<std::uint64_t> mapped_addresses;  // in the asking process
};

// What a request for a lock comes to.
enum class LockState : std::uint8_t {
    granted,
    queued,
    timed_out,
    withdrawn,  // the region was deallocated while it was waited for
    unknown,    // there is no such ticket (any more): ask again
    deadlock,   // waiting would never end; nothing was changed
};
inline constexpr std::uint32_t kLockForever = 0xFFFF'FFFF;  // milliseconds

// One thread's lock on a region.
struct LockHolder {
    std::int64_t pid = 0;
    std::string process;
    std::uint32_t thread = 0;  // the operating system's number of it, in its own pid namespace
    AccessMode mode = AccessMode::read_only;
    std::uint32_t depth = 0;  // times it was taken and not given back yet
    Timestamp since;
    std::uint64_t token = 0;  // 0: not for the one who asks to know
};

// One thread that waits for a region.
struct LockWaiter {
    std::int64_t pid = 0;
    std::string process;
    std::uint32_t thread = 0;
    AccessMode mode = AccessMode::read_only;
    Timestamp since;
    std::vector<std::int64_t> waits_for;  // process ids of those it waits for, at most a few
};

// A region that is locked. At most kNamedLockers of each are named; the counts are of all.
struct RegionLocks {
    RegionId id;
    bool inconsistent = false;
    std::uint64_t holder_count = 0, waiter_count = 0;
    std::vector<LockHolder> holders;
    std::vector<LockWaiter> waiters;  // the next to be granted first
};
inline constexpr std::size_t kNamedLockers = 128;

// What a cleanup takes. `only` and the names of a session and a worker say what it looks at, the
// flags which of that it takes. Without a flag: of a session's or a worker's regions those whose
// policy is not manual, of what is named in `only` everything nobody holds, else what is due.
struct CleanupRequest {
    bool dry_run = false;
    bool orphans = false;
    bool expired = false;
    bool all_eligible = false;   // every region nobody holds, whatever its policy
    std::vector<RegionId> only;  // if not empty, nothing else is touched
    bool due = false;            // what is due by the table "When a region ends"
    bool no_quarantine = false;  // what goes is freed at once, and what is in quarantine goes too
    std::string session;         // if not empty, only what was made in it
    std::string worker;          // if not empty, only what it made

    bool has_criteria() const { return orphans || expired || all_eligible || due; }
    bool scoped() const { return !session.empty() || !worker.empty(); }
};

struct CleanupItem {
    RegionId id;
    std::uint64_t bytes = 0;
    std::string reason;        // why it may go, or why it stays
    bool removed = false;      // it went (in a dry run: would go), freed or into quarantine
    bool quarantined = false;  // into quarantine: it can be restored for a while
};

struct CleanupResult {
    bool dry_run = false;
    std::uint64_t removed = 0;
    std::uint64_t bytes_freed = 0;  // at once
    std::vector<CleanupItem> items;
    std::uint64_t quarantined = 0;  // of those removed
    std::uint64_t bytes_quarantined = 0;
};

struct DefragmentResult {
    std::uint64_t moved = 0;   // regions
    std::uint64_t bytes = 0;   // of them
    std::uint64_t in_use = 0;  // regions that stayed where they are, because somebody holds them
    std::uint64_t arenas_returned = 0;
};

}  // namespace snakepit::shm
