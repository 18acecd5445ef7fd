// SPDX-License-Identifier: MIT
#include "diagnostics/environment_checks.h"

#include <cmath>
#include <initializer_list>

#include <fmt/format.h>

#include "base/units.h"
#include "conditions/condition.h"

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kFewDescriptors = 4096;
constexpr std::uint64_t kSpareMappings = 1000;  // for libraries, stacks and heaps

std::string room_of(const std::string& path, const SpaceFacts& space) {
    auto out = fmt::format("{} has {} free of {}", path, format_size(space.free),
                           format_size(space.total));
    if (space.files_total > 0)
        out += fmt::format(" and {} of {} inodes free", space.files_free, space.files_total);
    return out;
}

// The first of these conditions of the table that is met; a check without a finding otherwise.
struct Reading {
    std::string_view condition;
    double value = 0;
};
Check compare(const std::string& name, const std::string& room,
              std::initializer_list<Reading> readings) {
    for (const auto& reading : readings) {
        const auto& known = condition(reading.condition);
        if (!known.met(reading.value)) continue;
        const bool problem = known.severity == AlertSeverity::critical;
        return {name, problem ? CheckResult::problem : CheckResult::warning,
                fmt::format("{}: {}", known.title, room), std::string(known.remedy)};
    }
    return sound(name, room);
}

double files_left(const SpaceFacts& space) {
    return space.files_total > 0 ? static_cast<double>(space.files_free) : HUGE_VAL;
}

}  // namespace

Check check_directory(const std::string& name, const std::string& path) {
    const auto facts = directory_facts(path);
    if (!facts) return problem(name, facts.error());
    if (!facts->exists)
        return {name, CheckResult::ok, path + " does not exist yet; the manager creates it", {}};
    if (!facts->is_directory)
        return {name, CheckResult::problem, path + " is not a directory",
                "move it away; the manager creates a directory"};
    if (!facts->ours)
        return {name, CheckResult::problem, path + " belongs to another user",
                "use another directory, or run as its owner"};
    if ((facts->mode & 0022U) != 0)
        return {name, CheckResult::problem,
                fmt::format("{} can be written by others (mode {:04o})", path, facts->mode),
                "chmod 0700 " + path};
    return {name, CheckResult::ok, path, {}};
}

Check check_runtime_in_memory(const InstancePaths& paths) {
    const std::string name = "runtime_directory_in_memory";
    const auto facts = directory_facts(paths.runtime_dir);
    if (!facts || !facts->exists)
        return {name, CheckResult::ok, "the runtime directory does not exist yet", {}};
    if (facts->in_memory) return {name, CheckResult::ok, paths.runtime_dir + " is in memory", {}};
    return {name, CheckResult::warning,
            paths.runtime_dir + " is on a disk: it is slower, and stale after a reboot",
            "set SNAKEPIT_SHM_RUNTIME_DIR to a directory on a tmpfs"};
}

Check check_shared_memory_space(const Config& config, const std::string& shm_path) {
    const std::string name = "shared_memory_space";
    const auto space = space_facts(shm_path);
    if (!space) return problem(name, space.error());
    if (!space->writable)
        return {name, CheckResult::problem, shm_path + " cannot be written",
                "set shm_path in the configuration to a tmpfs that this user may write"};
    const auto room = room_of(shm_path, *space);
    const auto used = used_ratio(space->free, space->total);
    auto check = compare(
        name, room,
        {{"host-shm-files", files_left(*space)}, {"host-shm-full", used}, {"host-shm-high", used}});
    if (check.result != CheckResult::ok) return check;
    if (space->total < config.max_total_memory)
        return {
            name, CheckResult::warning,
            fmt::format("{}, less than max_total_memory ({})", room,
                        format_size(config.max_total_memory)),
            "enlarge it (mount -o remount,size=…, docker run --shm-size=…), or lower the limit"};
    return check;
}

Check check_state_space(const InstancePaths& paths) {
    const std::string name = "state_space";
    const auto facts = directory_facts(paths.state_dir);
    if (!facts || !facts->exists) return sound(name, paths.state_dir + " does not exist yet");
    const auto space = space_facts(paths.state_dir);
    if (!space) return problem(name, space.error());
    const auto room = room_of(paths.state_dir, *space);
    const auto free = static_cast<double>(space->free);
    return compare(name, room,
                   {{"state-files", files_left(*space)},
                    {"state-space-full", free},
                    {"state-space-low", free}});
}

Check check_configured_limits(const Config& config, const std::string& shm_path) {
    const std::string name = "configured_limits";
    Findings findings;
    if (const auto space = space_facts(shm_path); space && config.max_region_size > space->total)
        findings.add(fmt::format("max_region_size ({}) is more than {} has ({})",
                                 format_size(config.max_region_size), shm_path,
                                 format_size(space->total)));
    if (config.max_regions_per_user > config.max_regions)
        findings.add(fmt::format("max_regions_per_user ({}) is more than max_regions ({})",
                                 config.max_regions_per_user, config.max_regions));
    if (config.max_memory_per_user > config.max_total_memory)
        findings.add(fmt::format("max_memory_per_user ({}) is more than max_total_memory ({})",
                                 format_size(config.max_memory_per_user),
                                 format_size(config.max_total_memory)));
    if (findings.count() == 0) return sound(name, "the limits are consistent");
    return {name, CheckResult::warning, findings.text(),
            "change one with 'snakepit-shm config set KEY VALUE': the smaller limit always applies "
            "first"};
}

Check check_key(const InstancePaths& paths) {
    const std::string name = "instance_key";
    const auto path = paths.instance_key();
    const auto facts = file_facts(path);
    if (!facts) {
        if (!file_facts(paths.events_db()))
            return sound(name, path + " does not exist yet; the manager creates it");
        return {name, CheckResult::warning,
                path + " is missing, but the history that it signed is there",
                "restore it from a copy, unless the service gets it as a credential; without it "
                "durable regions of level high cannot be read"};
    }
    if (!facts->regular)
        return {name, CheckResult::problem, path + " is not a regular file", "restore it"};
    if ((facts->mode & 0077U) != 0 && paths.key_file.empty())
        return {name, CheckResult::problem,
                fmt::format("{} can be read by others (mode {:04o})", path, facts->mode),
                "chmod 0600 " + path};
    return sound(name, path);
}

Check check_logout(const std::string& shm_path) {
    const std::string name = "logout";
    if (!logout_removes_segments(shm_path))
        return {name, CheckResult::ok, "regions stay when this user logs out", {}};
    return {
        name, CheckResult::warning,
        "when this user's last session ends, systemd-logind removes the user's files in /dev/shm "
        "and the runtime directory, even if they are in use (RemoveIPC=yes)",
        "run 'loginctl enable-linger', set RemoveIPC=no in logind.conf, or use the host's service"};
}

std::vector<Check> check_limits(const Config& config, const Limits& limits) {
    std::vector<Check> out;
    Check descriptors{"descriptor_limit",
                      CheckResult::ok,
                      fmt::format("{} descriptors a process; an unnamed region needs one in the "
                                  "manager, a client needs a few",
                                  limits.descriptors),
                      {}};
    if (limits.descriptors < kFewDescriptors) {
        descriptors.result = CheckResult::warning;
        descriptors.remedy = "raise it (ulimit -Hn, LimitNOFILE=)";
    }
    out.push_back(descriptors);
    if (!limits.mappings) return out;
    Check mappings{"mapping_limit",
                   CheckResult::ok,
                   fmt::format("{} mappings a process", *limits.mappings),
                   {}};
    if (*limits.mappings < config.max_regions_per_process + kSpareMappings) {
        mappings.result = CheckResult::warning;
        mappings.remedy = "raise vm.max_map_count with sysctl, or lower max_regions_per_process";
    }
    out.push_back(mappings);
    return out;
}

}  // namespace snakepit::shm
