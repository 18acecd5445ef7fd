// SPDX-License-Identifier: MIT
#include "conditions/condition.h"

#include <algorithm>
#include <array>

namespace snakepit::shm {

namespace {

constexpr std::int64_t kSeconds = 1000;
constexpr std::int64_t kMinutes = 60 * kSeconds;
constexpr double kMiB = 1 << 20;
constexpr double kGrowth = 1024 * kMiB;  // in an hour or six
constexpr auto kInfo = AlertSeverity::info;
constexpr auto kWarning = AlertSeverity::warning;
constexpr auto kCritical = AlertSeverity::critical;

// A condition on a metric: above `threshold`, over at `resolve`.
constexpr Condition above(Condition out, std::string_view metric, double threshold, double resolve,
                          std::int64_t for_ms = 0, AlertGroup group = AlertGroup::none) {
    out.metric = metric;
    out.threshold = threshold;
    if (resolve != threshold) out.resolve_threshold = resolve;
    out.for_ms = for_ms;
    out.group = group;
    return out;
}

// At least one event of the kind in the window.
constexpr Condition any(Condition out, EventKind event, std::int64_t window_ms, AlertGroup group,
                        std::uint32_t count_at_least = 0) {
    out.event = event;
    out.comparison = AlertComparison::at_least;
    out.threshold = 1;
    out.window_ms = window_ms;
    out.group = group;
    out.count_at_least = count_at_least;
    return out;
}

constexpr Condition below(Condition out, double threshold) {
    out.comparison = AlertComparison::below;
    out.threshold = threshold;
    return out;
}

constexpr Condition superseded(Condition out, std::string_view by) {
    out.superseded_by = by;
    return out;
}

constexpr std::string_view kFreeSharedMemory =
    "'snakepit-shm host' lists what uses it; end what is not needed, or enlarge the file system "
    "(mount -o remount,size=…)";
constexpr std::string_view kFreeStateSpace =
    "free space there, lower event_retention or event_max_size, or move SNAKEPIT_SHM_STATE_DIR";

constexpr std::array kMemory{
    above({"memory-high", kWarning, "Memory limit nearly reached",
           "'snakepit-shm cleanup --dry-run' lists what can be freed; or raise max_total_memory"},
          "memory_ratio", 0.9, 0.85, 10 * kSeconds),
    above({"regions-high", kWarning, "Region limit nearly reached",
           "'snakepit-shm cleanup --dry-run' lists what can be freed; or raise max_regions"},
          "regions_ratio", 0.9, 0.85, 10 * kSeconds),
    superseded(above({"host-shm-high", kWarning, "The host's shared memory is nearly full",
                      kFreeSharedMemory},
                     "host_shm_ratio", 0.9, 0.85, 10 * kSeconds),
               "host-shm-full"),
    above({"host-shm-full", kCritical, "The host's shared memory is full", kFreeSharedMemory},
          "host_shm_ratio", 0.97, 0.95),
    above({"user-memory-high", kWarning, "A user's memory quota is nearly used up",
           "'snakepit-shm list' shows the user's regions; or raise the quota"},
          "user_memory_ratio", 0.9, 0.85, 10 * kSeconds, AlertGroup::user),
    above({"user-regions-high", kWarning, "A user's region quota is nearly used up",
           "'snakepit-shm list' shows the user's regions; or raise the quota"},
          "user_regions_ratio", 0.9, 0.85, 10 * kSeconds, AlertGroup::user),
    above({"allocations-fail", kWarning, "Allocations fail",
           "'snakepit-shm events --kind allocation_failed' shows the reasons"},
          "allocation_failures_total", 10, 10),
    above({"fragmentation", kInfo, "Arenas are fragmented", "run 'snakepit-shm defragment'"},
          "fragmentation_ratio", 0.7, 0.5, 10 * kMinutes),
    // Of which program, and how much of it is left over, is in the alert's evidence.
    above({"host-growth", kWarning, "A program's shared memory on the host grows and stays",
           "'snakepit-shm host --verdict left_over' lists what it left over; 'snakepit-shm host "
           "--at TIME' shows what there was before"},
          "host_program_growth_bytes", kGrowth, kGrowth / 2, 0, AlertGroup::subject),
    below({"host-shm-files", kCritical, "The host's shared memory has no inodes left",
           "remove files there ('snakepit-shm host' lists them), or raise nr_inodes (mount -o "
           "remount,nr_inodes=…)"},
          64),
    below(
        {"state-space-low", kWarning, "The state directory's disk is nearly full", kFreeStateSpace},
        256 * kMiB),
    below(
        {"state-space-full", kCritical,
         "The state directory's disk is full: events cannot be recorded for long", kFreeStateSpace},
        16 * kMiB),
    below({"state-files", kCritical, "The state directory's disk has no inodes left",
           "remove files there, or move SNAKEPIT_SHM_STATE_DIR"},
          64),
};

// A waiting client asks a restarted manager again, and its wait is counted from there.
constexpr Condition stuck_lock() {
    auto out = above({"stuck-lock", kWarning, "A lock is held for long while others wait",
                      "'snakepit-shm locks' names the holder; end that program, or let it finish"},
                     "region_lock_wait_seconds", 30, 5, 0, AlertGroup::region);
    out.resolve_for_ms = 10 * kSeconds;
    return out;
}

constexpr std::array kPrograms{
    above({"orphans", kWarning, "Regions whose owner has exited",
           "'snakepit-shm cleanup --orphans --dry-run' lists the unused ones"},
          "orphan_regions", 0, 0, kMinutes),
    // By user, not by process: a pool whose workers crash one after the other is one alert.
    any({"holder-died", kInfo, "Programs died holding regions",
         "'snakepit-shm events --kind client_gone' names them; their references were released"},
        EventKind::client_gone, kMinutes, AlertGroup::user, 1),
    above({"suspect-regions", kWarning, "Regions are inconsistent: their writer died in its lock",
           "check the contents; the next writer's lock makes a region consistent again"},
          "suspect_regions", 0, 0),
    above({"reference-leak", kWarning, "A program takes references and releases none",
           "check it for a map without an unmap"},
          "client_reference_growth", 0, 0, kMinutes, AlertGroup::process),
    stuck_lock(),
    any({"deadlock", kWarning, "A lock was refused: waiting would have been a deadlock",
         "let the programs take their locks in one order"},
        EventKind::deadlock, 5 * kMinutes, AlertGroup::region),
    above({"slow-allocate", kWarning, "Allocating is slow",
           "check the host's load, and zeroing: secure_cleanup, large regions"},
          "allocate_seconds_p99", 0.05, 0.03, kMinutes),
    any({"refused", kWarning, "A user was refused",
         "'snakepit-shm events --kind refused' shows the attempts"},
        EventKind::refused, 5 * kMinutes, AlertGroup::user),
    any({"refused-often", kCritical, "A user is refused again and again",
         "'snakepit-shm events --kind refused' shows the attempts"},
        EventKind::more_refused, 5 * kMinutes, AlertGroup::user),
    any({"hostile-client", kCritical, "A program damaged its own lease page",
         "end it; it may try to reach other users' memory"},
        EventKind::client_hostile, 5 * kMinutes, AlertGroup::process),
    any({"history-changed", kCritical, "The signed history was changed",
         "'snakepit-shm audit verify' names the rows"},
        EventKind::audit_broken, 60 * kMinutes, AlertGroup::none),
    any({"history-cut", kCritical, "Rows of the signed history are missing",
         "'snakepit-shm audit verify' names the rows"},
        EventKind::rows_missing, 60 * kMinutes, AlertGroup::none),
};

constexpr Condition recorder_down() {
    auto out = below({"recorder-down", kCritical, "The event database cannot be written",
                      "free space on its file system, and let the manager's user write it"},
                     1);
    out.metric = "recorder_writable";
    out.for_ms = 5 * kSeconds;
    return out;
}

constexpr std::array kManager{
    above({"damaged-regions", kCritical, "Regions failed a check",
           "'snakepit-shm health' names them; check for a program that writes past the end"},
          "damaged_regions", 0, 0),
    any({"arena-damaged", kCritical, "Another process removed or cut an arena's file",
         "'snakepit-shm health' names the regions in it; find the process that tidies the "
         "shared-memory directory (RemoveIPC= of systemd-logind, a cron job)"},
        EventKind::arena_damaged, 10 * kMinutes, AlertGroup::none),
    above({"recorder-lag", kWarning, "Events wait for the database",
           "check the disk of the state directory"},
          "recorder_lag_events", 10'000, 1000, 10 * kSeconds),
    recorder_down(),
    above({"events-lost", kCritical, "Events were lost",
           "the event database could not be written for too long; see 'snakepit-shm status'"},
          "events_lost_total", 0, 0),
    above({"log-growing", kWarning, "The database's log grows",
           "end the program that keeps the event database open for reading"},
          "database_log_bytes", 64 * kMiB, 32 * kMiB, kMinutes),
    above({"health", kWarning, "A health check found problems", "'snakepit-shm health' names them"},
          "health_problems", 0, 0),
    any({"cleanup-failed", kWarning, "Memory could not be freed",
         "'snakepit-shm health' names the regions"},
        EventKind::cleanup_failed, 10 * kMinutes, AlertGroup::none),
};

template <std::size_t... N>
constexpr auto join(const std::array<Condition, N>&... parts) {
    std::array<Condition, (N + ...)> out;
    auto* next = out.data();
    (..., (next = std::copy(parts.begin(), parts.end(), next)));
    return out;
}

constexpr auto kConditions = join(kMemory, kPrograms, kManager);

}  // namespace

bool holds(AlertComparison comparison, double value, double threshold) {
    switch (comparison) {
        case AlertComparison::above:
            break;
        case AlertComparison::at_least:
            return value >= threshold;
        case AlertComparison::below:
            return value < threshold;
        case AlertComparison::at_most:
            return value <= threshold;
    }
    return value > threshold;
}

bool Condition::met(double value, bool before) const {
    return holds(comparison, value, before ? resolve_threshold.value_or(threshold) : threshold);
}

double used_ratio(std::uint64_t free, std::uint64_t total) {
    return total == 0 ? 0 : 1 - static_cast<double>(free) / static_cast<double>(total);
}

std::span<const Condition> conditions() {
    return kConditions;
}

const Condition* find_condition(std::string_view name) {
    const auto found = std::find_if(kConditions.begin(), kConditions.end(),
                                    [&](const Condition& one) { return one.name == name; });
    return found == kConditions.end() ? nullptr : &*found;
}

const Condition& condition(std::string_view name) {
    return *find_condition(name);
}

}  // namespace snakepit::shm
