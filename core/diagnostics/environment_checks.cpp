// SPDX-License-Identifier: MIT
#include "diagnostics/environment_checks.h"

#include <fmt/format.h>

#include "base/units.h"

namespace snakepit::shm {

namespace {

constexpr std::uint64_t kLowSpace = 16ULL << 20;  // bytes
constexpr std::uint64_t kLittleStateSpace = 256ULL << 20;
constexpr std::uint64_t kFewDescriptors = 4096;
constexpr std::uint64_t kSpareMappings = 1000;  // for libraries, stacks and heaps
constexpr std::uint64_t kFewFiles = 64;         // as HealthLogger

std::string room_of(const std::string& path, const SpaceFacts& space) {
    auto out = fmt::format("{} has {} free of {}", path, format_size(space.free),
                           format_size(space.total));
    if (space.files_total > 0)
        out += fmt::format(" and {} of {} files left", space.files_free, space.files_total);
    return out;
}

bool has_few_files(const SpaceFacts& space) {
    return space.files_total > 0 && space.files_free < kFewFiles;
}

}  // namespace

Check check_directory(const std::string& name, const std::string& path) {
    const auto facts = directory_facts(path);
    if (!facts) return problem(name, facts.error());
    if (!facts->exists)
        return {name, Verdict::ok, path + " is not there yet; the manager makes it", {}};
    if (!facts->is_directory)
        return {name, Verdict::problem, path + " is no directory",
                "move it away; the manager makes a directory"};
    if (!facts->ours)
        return {name, Verdict::problem, path + " belongs to another user",
                "use another directory, or run as its owner"};
    if ((facts->mode & 0022U) != 0)
        return {name, Verdict::problem,
                fmt::format("{} can be written by others (mode {:04o})", path, facts->mode),
                "chmod 0700 " + path};
    return {name, Verdict::ok, path, {}};
}

Check check_runtime_in_memory(const InstancePaths& paths) {
    const std::string name = "runtime_directory_in_memory";
    const auto facts = directory_facts(paths.runtime_dir);
    if (!facts || !facts->exists)
        return {name, Verdict::ok, "the runtime directory is not there yet", {}};
    if (facts->in_memory) return {name, Verdict::ok, paths.runtime_dir + " is in memory", {}};
    return {name, Verdict::warning,
            paths.runtime_dir + " is on a disk: slower, and out of date after a reboot",
            "set SNAKEPIT_SHM_RUNTIME_DIR to a directory on a tmpfs"};
}

Check check_shared_memory_space(const Config& config, const std::string& shm_path) {
    const std::string name = "shared_memory_space";
    const auto space = space_facts(shm_path);
    if (!space) return problem(name, space.error());
    if (!space->writable)
        return {name, Verdict::problem, shm_path + " cannot be written",
                "set shm_path in the configuration to a tmpfs this user may write"};
    const auto room = room_of(shm_path, *space);
    if (has_few_files(*space))
        return {name, Verdict::problem, room,
                "remove files: 'snakepit-shm host' shows them; or a larger number of inodes (mount "
                "-o remount,nr_inodes=…)"};
    if (space->free < kLowSpace)
        return {name, Verdict::problem, room,
                "snakepit-shm host shows what holds it; a larger tmpfs (mount -o remount,size=…)"};
    if (space->total < config.max_total_memory)
        return {
            name, Verdict::warning,
            fmt::format("{}, less than max_total_memory ({})", room,
                        format_size(config.max_total_memory)),
            "a larger tmpfs (mount -o remount,size=…, docker run --shm-size=…) or a smaller limit"};
    return {name, Verdict::ok, room, {}};
}

Check check_state_space(const InstancePaths& paths) {
    const std::string name = "state_space";
    const auto facts = directory_facts(paths.state_dir);
    if (!facts || !facts->exists) return sound(name, paths.state_dir + " is not there yet");
    const auto space = space_facts(paths.state_dir);
    if (!space) return problem(name, space.error());
    const auto room = room_of(paths.state_dir, *space);
    if (has_few_files(*space))
        return {name, Verdict::problem, room + ": no more files can be made there",
                "remove files there, or move SNAKEPIT_SHM_STATE_DIR"};
    if (space->free < kLowSpace)
        return {name, Verdict::problem, room + ": events cannot be recorded for long",
                "free space there, or lower event_max_size, or move SNAKEPIT_SHM_STATE_DIR"};
    if (space->free < kLittleStateSpace)
        return {name, Verdict::warning, room,
                "free space there, or lower event_retention or event_max_size"};
    return sound(name, room);
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
    if (findings.count() == 0) return sound(name, "they go together");
    return {name, Verdict::warning, findings.text(),
            "snakepit-shm config set KEY VALUE: a limit that another one comes before never holds"};
}

Check check_key(const InstancePaths& paths) {
    const std::string name = "instance_key";
    const auto path = paths.instance_key();
    const auto facts = file_facts(path);
    if (!facts) {
        if (!file_facts(paths.events_db()))
            return sound(name, path + " is not there yet; the manager makes it");
        return {name, Verdict::warning, path + " is not there, and the history it signed is",
                "put it back from a copy, unless the service gets it as a credential; without it "
                "durable regions of level high cannot be read"};
    }
    if (!facts->regular) return {name, Verdict::problem, path + " is no file", "put it back"};
    if ((facts->mode & 0077U) != 0 && paths.key_file.empty())
        return {name, Verdict::problem,
                fmt::format("{} can be read by others (mode {:04o})", path, facts->mode),
                "chmod 0600 " + path};
    return sound(name, path);
}

Check check_logout(const std::string& shm_path) {
    const std::string name = "logout";
    if (!logout_removes_segments(shm_path))
        return {name, Verdict::ok, "regions stay when this user logs out", {}};
    return {name, Verdict::warning,
            "when this user's last session ends, systemd-logind removes what the user has in "
            "/dev/shm and the runtime directory, in use or not (RemoveIPC=yes)",
            "loginctl enable-linger, or RemoveIPC=no in logind.conf, or the host's own service"};
}

std::vector<Check> check_limits(const Config& config, const Limits& limits) {
    std::vector<Check> out;
    Check descriptors{"descriptor_limit",
                      Verdict::ok,
                      fmt::format("{} descriptors a process; a region without a name costs the "
                                  "manager one, a client a few",
                                  limits.descriptors),
                      {}};
    if (limits.descriptors < kFewDescriptors) {
        descriptors.verdict = Verdict::warning;
        descriptors.remedy = "raise it (ulimit -Hn, LimitNOFILE=)";
    }
    out.push_back(descriptors);
    if (!limits.mappings) return out;
    Check mappings{
        "mapping_limit", Verdict::ok, fmt::format("{} mappings a process", *limits.mappings), {}};
    if (*limits.mappings < config.max_regions_per_process + kSpareMappings) {
        mappings.verdict = Verdict::warning;
        mappings.remedy = "sysctl vm.max_map_count, or a smaller max_regions_per_process";
    }
    out.push_back(mappings);
    return out;
}

}  // namespace snakepit::shm
