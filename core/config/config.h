// SPDX-License-Identifier: MIT
// The configuration of a manager, from TOML.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/alert_options.h"
#include "base/policy.h"
#include "base/region.h"
#include "base/result.h"
#include "telemetry/telemetry_options.h"

namespace snakepit::shm {

// What snakepit-shm-origins records: nothing, who made and opened segments, and their command lines
// without secrets as well.
enum class HostOrigins : std::uint8_t { off, creators, commands };

// The defaults hold without a configuration file.
struct Config {
    bool enabled = true;
    std::uint32_t max_regions = 1000;
    std::uint64_t max_region_size = 1ULL << 30;
    std::uint64_t max_total_memory = 10ULL << 30;
    std::uint32_t max_regions_per_process = 100;
    std::uint32_t max_regions_per_user = 0;  // 0: no limit
    std::uint64_t max_memory_per_user = 0;   // 0: no limit
    std::int64_t cleanup_interval_ms = 60'000;
    std::int64_t default_timeout_ms = 300'000;
    std::int64_t grace_period_ms = 5'000;  // between the end of its use and its cleanup
    std::int64_t quarantine_ms = 30'000;   // of what a person cleans; 0: none
    bool quarantine_automatic = false;     // also of what is cleaned by itself
    AllocationStrategy allocation_strategy = AllocationStrategy::best_fit;
    bool enable_defragmentation = true;
    SecurityLevel security_level = SecurityLevel::standard;
    bool encryption_enabled = false;
    bool audit_access = false;
    std::int64_t event_retention_ms = 30LL * 86'400'000;  // how long events are kept; 0: for ever
    std::uint64_t event_max_size = 1ULL << 30;  // of their rows; the oldest go first; 0: no limit
    bool secure_cleanup = false;
    bool telemetry_enabled = false;
    bool performance_monitoring = true;
    std::int64_t health_check_interval_ms = 60'000;
    std::string socket_group;          // whose members may connect; empty: none
    std::string socket_mode = "0600";  // of control.sock, octal
    std::string admin_group;           // whose members may read the registry; empty: none
    bool use_hugepages = false;
    BackingChoice backing = BackingChoice::automatic;
    std::string shm_path = "/dev/shm";
    HostOrigins host_origins = HostOrigins::creators;
    std::uint64_t metrics_max_size = 256ULL << 20;   // of metrics.db; 0: no history is kept
    std::int64_t host_history_interval_ms = 60'000;  // between two surveys of the host; 0: none
    std::uint64_t arena_size = 64ULL << 20;          // of a user's first arena
    Policy policy;  // of regions that are allocated without one; no rule names a process
    Roles roles;
    Quotas quotas;
    AlertOptions alerts;
    TelemetryOptions telemetry;

    // configuration_invalid, with "file:line:column" in the message, for a syntax error, an unknown
    // key (with the nearest known one), a wrong type or an impossible value. An empty path gives
    // the defaults.
    static Result<Config> load(const std::string& path);
    static Result<Config> parse(std::string_view text, std::string_view source_name);

    // A JSON object with all keys under "shared_memory".
    std::string to_json() const;
    // Keys whose change between `before` and this one takes effect only with a restart.
    std::vector<std::string> needs_restart(const Config& before) const;
};

}  // namespace snakepit::shm
