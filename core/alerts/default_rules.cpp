// SPDX-License-Identifier: MIT
#include "alerts/default_rules.h"

#include <utility>

namespace snakepit::shm {

namespace {

constexpr std::int64_t kSeconds = 1000;
constexpr std::int64_t kMinutes = 60 * kSeconds;
constexpr auto kInfo = AlertSeverity::info;
constexpr auto kWarning = AlertSeverity::warning;
constexpr auto kCritical = AlertSeverity::critical;

AlertRule rule(const char* name, AlertSeverity severity, const char* title, const char* remedy) {
    AlertRule out;
    out.name = name;
    out.title = title;
    out.severity = severity;
    out.remedy = remedy;
    out.built_in = true;
    return out;
}

AlertRule above(AlertRule out, const char* metric, double threshold, double resolve,
                std::int64_t for_ms = 0, AlertGroup group = AlertGroup::none) {
    out.metric = metric;
    out.comparison = AlertComparison::above;
    out.threshold = threshold;
    if (resolve != threshold) out.resolve_threshold = resolve;
    out.for_ms = for_ms;
    out.group = group;
    return out;
}

AlertRule below(AlertRule out, const char* metric, double threshold, std::int64_t for_ms) {
    out.metric = metric;
    out.comparison = AlertComparison::below;
    out.threshold = threshold;
    out.for_ms = for_ms;
    return out;
}

// Any event of the kind; resolved when there was none for the whole window.
AlertRule any(AlertRule out, EventKind event, std::int64_t window_ms, AlertGroup group,
              std::uint32_t count_at_least = 0) {
    out.event = event;
    out.comparison = AlertComparison::at_least;
    out.threshold = 1;
    out.window_ms = window_ms;
    out.group = group;
    out.count_at_least = count_at_least;
    return out;
}

void add_memory(std::vector<AlertRule>& out) {
    out.push_back(above(rule("memory-high", kWarning, "Memory limit nearly reached",
                             "'snakepit-shm cleanup --dry-run' lists what is due; or raise "
                             "max_total_memory"),
                        "memory_ratio", 0.9, 0.85, 10 * kSeconds));
    out.push_back(
        above(rule("regions-high", kWarning, "Region limit nearly reached",
                   "'snakepit-shm cleanup --dry-run' lists what is due; or raise max_regions"),
              "regions_ratio", 0.9, 0.85, 10 * kSeconds));
    out.push_back(
        above(rule("host-shm-high", kWarning, "The host's shared memory runs out",
                   "'snakepit-shm host' shows what takes it; end what is not needed, or enlarge "
                   "it"),
              "host_shm_ratio", 0.9, 0.85, 10 * kSeconds));
    out.push_back(
        above(rule("host-shm-full", kCritical, "The host's shared memory is full",
                   "'snakepit-shm host' shows what takes it; end what is not needed, or enlarge "
                   "it"),
              "host_shm_ratio", 0.97, 0.95));
    out.push_back(
        above(rule("user-memory-high", kWarning, "A user's memory quota is nearly used up",
                   "'snakepit-shm list' shows what the user has; or raise the quota"),
              "user_memory_ratio", 0.9, 0.85, 10 * kSeconds, AlertGroup::user));
    out.push_back(
        above(rule("user-regions-high", kWarning, "A user's region quota is nearly used up",
                   "'snakepit-shm list' shows what the user has; or raise the quota"),
              "user_regions_ratio", 0.9, 0.85, 10 * kSeconds, AlertGroup::user));
    out.push_back(above(rule("allocations-fail", kWarning, "Allocations fail",
                             "'snakepit-shm events --kind allocation_failed' says why"),
                        "allocation_failures_total", 10, 10));
    out.push_back(above(rule("fragmentation", kInfo, "Arenas are full of holes",
                             "move regions together with 'snakepit-shm defragment'"),
                        "fragmentation_ratio", 0.7, 0.5, 10 * kMinutes));
}

void add_programs(std::vector<AlertRule>& out) {
    out.push_back(above(rule("orphans", kWarning, "Regions whose owner is gone",
                             "'snakepit-shm cleanup --orphans --dry-run' lists those nobody holds"),
                        "orphan_regions", 0, 0, kMinutes));
    // By user, not by process: a pool whose workers crash one after the other is one alert.
    out.push_back(
        any(rule("holder-died", kInfo, "Programs died holding regions",
                 "'snakepit-shm events --kind client_gone' names them; what they held was "
                 "given back"),
            EventKind::client_gone, kMinutes, AlertGroup::user, 1));
    out.push_back(
        above(rule("suspect-regions", kWarning, "A writer died in its lock",
                   "check the contents; a writer's next lock makes the region good again"),
              "suspect_regions", 0, 0));
    out.push_back(
        above(rule("reference-leak", kWarning, "A program takes references and gives none back",
                   "look for a map without an unmap in it"),
              "client_reference_growth", 0, 0, kMinutes, AlertGroup::process));
    auto stuck =
        above(rule("stuck-lock", kWarning, "A lock is held for long while others wait",
                   "'snakepit-shm locks' shows by whom; end that program, or let it finish"),
              "region_lock_wait_seconds", 30, 5, 0, AlertGroup::region);
    // Who waits asks a restarted manager again, and is counted from there.
    stuck.resolve_for_ms = 10 * kSeconds;
    out.push_back(std::move(stuck));
    out.push_back(any(rule("deadlock", kWarning, "A lock was refused: the wait would never end",
                           "let the programs take their locks in one order"),
                      EventKind::deadlock, 5 * kMinutes, AlertGroup::region));
    out.push_back(
        above(rule("slow-allocate", kWarning, "Allocating is slow",
                   "look at the host's load, and at zeroing: secure_cleanup, large regions"),
              "allocate_seconds_p99", 0.05, 0.03, kMinutes));
}

void add_security(std::vector<AlertRule>& out) {
    out.push_back(any(rule("refused", kWarning, "A user was refused",
                           "'snakepit-shm events --kind refused' says what was tried"),
                      EventKind::refused, 5 * kMinutes, AlertGroup::user));
    out.push_back(any(rule("refused-often", kCritical, "A user is refused again and again",
                           "'snakepit-shm events --kind refused' says what was tried"),
                      EventKind::more_refused, 5 * kMinutes, AlertGroup::user));
    out.push_back(any(rule("hostile-client", kCritical, "A program damaged its own lease page",
                           "end it; it may try to reach what is not its own"),
                      EventKind::client_hostile, 5 * kMinutes, AlertGroup::process));
    out.push_back(any(rule("history-changed", kCritical, "The signed history is not as it was",
                           "'snakepit-shm audit verify' says where"),
                      EventKind::audit_broken, 60 * kMinutes, AlertGroup::none));
    out.push_back(any(rule("history-cut", kCritical, "Rows of the signed history are gone",
                           "'snakepit-shm audit verify' says where"),
                      EventKind::rows_missing, 60 * kMinutes, AlertGroup::none));
}

void add_manager(std::vector<AlertRule>& out) {
    out.push_back(
        above(rule("damaged-regions", kCritical, "Regions failed a check",
                   "'snakepit-shm health' names them; look for a program that writes past the end"),
              "damaged_regions", 0, 0));
    out.push_back(any(rule("arena-damaged", kCritical, "Somebody removed or cut an arena's file",
                           "'snakepit-shm health' names the regions in it; find out who tidies the "
                           "shared-memory directory (RemoveIPC= of systemd-logind, a job of cron)"),
                      EventKind::arena_damaged, 10 * kMinutes, AlertGroup::none));
    out.push_back(above(rule("recorder-lag", kWarning, "Events wait for the database",
                             "look at the disk that the state directory is on"),
                        "recorder_lag_events", 10'000, 1000, 10 * kSeconds));
    out.push_back(below(rule("recorder-down", kCritical, "The event database cannot be written",
                             "free space on its file system, and let the manager's user write it"),
                        "recorder_writable", 1, 5 * kSeconds));
    out.push_back(above(rule("events-lost", kCritical, "Events were lost",
                             "the event database could not be written for too long; see 'status'"),
                        "events_lost_total", 0, 0));
    out.push_back(above(rule("log-growing", kWarning, "The database's log grows",
                             "end what reads the event database for long"),
                        "database_log_bytes", 64.0 * 1024 * 1024, 32.0 * 1024 * 1024, kMinutes));
    out.push_back(above(rule("health", kWarning, "A health check found problems",
                             "'snakepit-shm health' names them"),
                        "health_problems", 0, 0));
    out.push_back(any(rule("cleanup-failed", kWarning, "Memory could not be given back",
                           "'snakepit-shm health' names the regions"),
                      EventKind::cleanup_failed, 10 * kMinutes, AlertGroup::none));
}

}  // namespace

std::vector<AlertRule> default_rules() {
    std::vector<AlertRule> out;
    add_memory(out);
    add_programs(out);
    add_security(out);
    add_manager(out);
    return out;
}

}  // namespace snakepit::shm
