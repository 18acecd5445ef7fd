// SPDX-License-Identifier: MIT
// The data model: what a region is, and the options for allocating one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace snakepit::shm {

enum class Permission : std::uint8_t { none, read_only, read_write };
enum class SecurityLevel : std::uint8_t { standard, high, maximum };
enum class CleanupPolicy : std::uint8_t { automatic, manual, reference_counted };
// What the end of the process that allocated a region means for it. `automatic`: `keep` with the
// cleanup policy manual, else `grace`.
enum class OwnerEnd : std::uint8_t {
    automatic,
    keep,      // nothing
    grace,     // freed when no process has held it for the grace period
    withdraw,  // withdrawn at once: nobody finds or maps it; freed with the last reference
};
enum class Placement : std::uint8_t { automatic, pooled, dedicated };
enum class AccessMode : std::uint8_t { read_only, read_write };
// How a region's place in an arena is chosen.
enum class AllocationStrategy : std::uint8_t { best_fit, first_fit, worst_fit };
// What new segments are: named files, memory without a name (memfd), or what suits each region.
enum class BackingChoice : std::uint8_t { automatic, posix, memfd };

// The state shown to people. `orphan`: a live region whose owner has exited. `closing`:
// deallocated, waiting for its last reference. `damaged`: failed its checks.
enum class RegionState : std::uint8_t { live, orphan, closing, quarantined, revoked, damaged };

std::string_view to_string(Permission value);  // "none" "read_only" "read_write"
std::string_view to_string(SecurityLevel value);
std::string_view to_string(CleanupPolicy value);
std::string_view to_string(OwnerEnd value);
std::string_view to_string(Placement value);
std::string_view to_string(AccessMode value);
std::string_view to_string(RegionState value);

// All names of one kind, in the order of the values.
std::span<const std::string_view> region_state_names();
std::span<const std::string_view> cleanup_policy_names();
std::span<const std::string_view> owner_end_names();  // without "automatic"
std::span<const std::string_view> security_level_names();
std::span<const std::string_view> placement_names();

// Parse the names above, and "rw"/"ro" for a permission or an access mode.
std::optional<Permission> parse_permission(std::string_view text);
std::optional<SecurityLevel> parse_security_level(std::string_view text);
std::optional<CleanupPolicy> parse_cleanup_policy(std::string_view text);
std::optional<OwnerEnd> parse_owner_end(std::string_view text);
std::optional<Placement> parse_placement(std::string_view text);
std::optional<AccessMode> parse_access_mode(std::string_view text);

struct PermissionSet {
    Permission owner = Permission::read_write;
    Permission group = Permission::none;
    Permission other = Permission::none;
    friend bool operator==(const PermissionSet&, const PermissionSet&) = default;
};

constexpr OwnerEnd resolved(OwnerEnd chosen, CleanupPolicy policy) {
    if (chosen != OwnerEnd::automatic) return chosen;
    return policy == CleanupPolicy::manual ? OwnerEnd::keep : OwnerEnd::grace;
}

inline constexpr std::size_t kMaxMetadataBytes = 1000;
inline constexpr std::size_t kMaxNameBytes = 31;     // of a worker, a pool, a session, a process
inline constexpr std::int64_t kDefaultTimeout = -1;  // the configuration's default

struct RegionOptions {
    PermissionSet permissions;
    std::int64_t timeout_ms = kDefaultTimeout;        // 0: never
    std::optional<SecurityLevel> security_level;      // no value: the configuration's default
    AccessMode access_mode = AccessMode::read_write;  // the most any client may map it with
    CleanupPolicy cleanup_policy = CleanupPolicy::automatic;
    OwnerEnd owner_end = OwnerEnd::automatic;  // of no effect where the user owns the region
    Placement placement = Placement::automatic;
    // True: the region belongs to the user and not to the allocating process, so it does not become
    // an orphan when that process ends.
    bool owned_by_user = false;
    // True: contents and description are kept in the state directory and survive a reboot. Such a
    // region belongs to its user.
    bool durable = false;
    // True: every access is recorded, and refused while recording is impossible. The configuration
    // can require it too.
    bool audit_access = false;
    std::string metadata;  // a JSON object as text, at most kMaxMetadataBytes; empty: none
    std::string name;      // see check_region_name(); empty: none
    // False: default `permissions` stand for the configuration's default policy. True:
    // `permissions` apply as they are.
    bool exact_permissions = false;

    friend bool operator==(const RegionOptions&, const RegionOptions&) = default;
};

struct RegionReference {
    std::int64_t pid = 0;
    std::string process;      // its executable's name
    std::uint64_t count = 0;  // references held; 0: mapped and idle
    bool connected = true;    // false: alive but disconnected
    AccessMode access = AccessMode::read_write;
    std::string worker = {};  // the name it gave itself, if any
};

struct RegionInfo {
    RegionId id;
    std::string name;               // empty: none
    std::uint64_t size = 0;         // requested bytes
    std::uint64_t actual_size = 0;  // reserved bytes
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
    OwnerEnd owner_end = OwnerEnd::grace;  // never `automatic`
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
    bool has_policy = false;    // a policy was set; otherwise only its permissions apply
    // False: processes that got the memory under the previous policy may still have it. The policy
    // takes effect when no process holds the region.
    bool policy_in_effect = true;
    bool audit_access = false;
    std::string session, worker;
    Timestamp quarantined_until{};                // 0: not in quarantine
    std::vector<RegionReference> references;      // names at most 256 holders
    std::uint64_t holder_count = 0;               // processes that hold at least one reference
    std::vector<std::uint64_t> mapped_addresses;  // in the calling process
};

// The result of a lock request.
enum class LockState : std::uint8_t {
    granted,
    queued,
    timed_out,
    withdrawn,  // the region was deallocated during the wait
    unknown,    // the ticket is unknown: request the lock again
    deadlock,   // the wait would never end; nothing was changed
};
inline constexpr std::uint32_t kLockForever = 0xFFFF'FFFF;  // milliseconds

// One thread's lock on a region.
struct LockHolder {
    std::int64_t pid = 0;
    std::string process;
    std::uint32_t thread = 0;  // its thread id, in its own pid namespace
    AccessMode mode = AccessMode::read_only;
    std::uint32_t depth = 0;  // nesting depth: acquired this often and not released
    Timestamp since;
    std::uint64_t token = 0;  // 0: hidden from the caller
    std::string worker = {};
};

// One thread that waits for a region's lock.
struct LockWaiter {
    std::int64_t pid = 0;
    std::string process;
    std::uint32_t thread = 0;
    AccessMode mode = AccessMode::read_only;
    Timestamp since;
    std::vector<std::int64_t> waits_for;  // process ids of the holders it waits for, at most a few
    std::string worker = {};
};

// A locked region. It names at most kNamedLockers holders and waiters; the counts include all.
struct RegionLocks {
    RegionId id;
    bool inconsistent = false;
    std::uint64_t holder_count = 0, waiter_count = 0;
    std::vector<LockHolder> holders;
    std::vector<LockWaiter> waiters;  // in the order in which they will be granted
};
inline constexpr std::size_t kNamedLockers = 128;

// The scope of a cleanup. `only`, the session and the worker select the regions to check; the flags
// select which of them to remove. Without a flag: a session's or worker's regions whose cleanup
// policy is not manual, everything in `only` that no process holds, otherwise what is due.
struct CleanupRequest {
    bool dry_run = false;
    bool orphans = false;
    bool expired = false;
    bool all_eligible = false;   // every region without references, whatever its cleanup policy
    std::vector<RegionId> only;  // if not empty, only these
    bool due = false;            // what is due by the table "When a region ends"
    bool no_quarantine =
        false;            // free at once, without quarantine, and free quarantined regions too
    std::string session;  // if not empty, only regions allocated in it
    std::string worker;   // if not empty, only regions it allocated

    bool has_criteria() const { return orphans || expired || all_eligible || due; }
    bool scoped() const { return !session.empty() || !worker.empty(); }
};

struct CleanupItem {
    RegionId id;
    std::uint64_t bytes = 0;
    std::string reason;        // why it may be removed, or why it stays
    bool removed = false;      // removed (dry run: would be removed): freed or quarantined
    bool quarantined = false;  // quarantined: it can be restored for a while
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
    std::uint64_t in_use = 0;  // regions that were not moved because they are held
    std::uint64_t arenas_returned = 0;
};

}  // namespace snakepit::shm
