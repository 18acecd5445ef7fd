// SPDX-License-Identifier: MIT
#include "health_checks.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <filesystem>
#include <unordered_set>

#include "base/units.h"
#include "events/event_reader.h"
#include "host_facts.h"
#include "layout/registry_reader.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::int64_t kSilentMicros = 5'000'000;  // a heartbeat is due every second
constexpr std::uint64_t kLowSpace = 16ULL << 20;   // bytes
constexpr std::uint64_t kFewDescriptors = 4096;
constexpr std::uint64_t kSpareMappings = 1000;  // for libraries, stacks and heaps

Check problem(std::string name, const Error& error) {
    return {std::move(name), Verdict::problem, error.message, error.remedy};
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

Check check_shared_memory_space(const Config& config) {
    const std::string name = "shared_memory_space";
    const auto space = space_facts(config.shm_path);
    if (!space) return problem(name, space.error());
    if (!space->writable)
        return {name, Verdict::problem, config.shm_path + " cannot be written",
                "set shm_path in the configuration to a tmpfs this user may write"};
    const auto room = fmt::format("{} has {} free of {}", config.shm_path, format_size(space->free),
                                  format_size(space->total));
    if (space->free < kLowSpace)
        return {
            name, Verdict::problem, room,
            "snakepit-shm cleanup --no-quarantine, or a larger tmpfs (mount -o remount,size=…)"};
    if (space->total < config.max_total_memory)
        return {
            name, Verdict::warning,
            fmt::format("{}, less than max_total_memory ({})", room,
                        format_size(config.max_total_memory)),
            "a larger tmpfs (mount -o remount,size=…, docker run --shm-size=…) or a smaller limit"};
    return {name, Verdict::ok, room, {}};
}

Check check_registry(const InstancePaths& paths, bool manager_runs) {
    const std::string name = "registry";
    auto reader = RegistryReader::open(paths.registry());
    if (!reader) {
        if (reader.error().type() == ErrorType::no_manager && !manager_runs)
            return {name,
                    Verdict::ok,
                    "none: no manager has run since the last start of the system",
                    {}};
        return problem(name, reader.error());
    }
    std::size_t damaged = 0;
    const auto regions = reader->poll().changed;
    for (const auto& row : regions) damaged += row.info.state == RegionState::damaged ? 1 : 0;
    // A running manager names each of them itself.
    if (damaged > 0 && !manager_runs)
        return {name, Verdict::problem,
                fmt::format("{} of {} regions are damaged", damaged, regions.size()),
                "snakepit-shm list state:damaged, then deallocate them"};
    const auto silent = now().micros - reader->heartbeat().micros;
    if (manager_runs && silent > kSilentMicros)
        return {name, Verdict::problem,
                fmt::format("the manager (pid {}) was last heard of {} ago", reader->manager_pid(),
                            format_duration(silent / 1000)),
                "look at what that process does; it may be stopped or starved"};
    return {name, Verdict::ok, fmt::format("readable, {} regions", regions.size()), {}};
}

Check check_database(const InstancePaths& paths) {
    const std::string name = "event_database";
    const auto path = paths.events_db();
    if (!std::filesystem::exists(path)) return {name, Verdict::ok, path + " is not there yet", {}};
    auto reader = EventReader::open(path);
    if (!reader) return problem(name, reader.error());
    try {
        SQLite::Database database(path, SQLite::OPEN_READONLY, 2000);
        SQLite::Statement check(database, "PRAGMA quick_check(1)");
        const std::string verdict =
            check.executeStep() ? check.getColumn(0).getString() : "no answer";
        if (verdict == "ok") return {name, Verdict::ok, path + " is sound", {}};
        return {name, Verdict::problem, fmt::format("{}: {}", path, verdict),
                "stop the manager and move the file away; it starts a new one"};
    } catch (const SQLite::Exception& failure) {
        return {name, Verdict::problem,
                fmt::format("{} cannot be checked: {}", path, failure.what()),
                "stop the manager and move the file away if it stays so"};
    }
}

Check check_leftovers(const InstancePaths& paths, const Config& config) {
    const std::string name = "leftover_segments";
    const auto prefix = fmt::format("snakepit_{}_shm_", paths.instance);
    const auto files = files_with_prefix(config.shm_path, prefix);
    std::unordered_set<std::string> known;
    if (auto reader = RegistryReader::open(paths.registry()))
        for (const auto& row : reader->poll().changed)
            known.insert(segment_name(paths.instance, row.info.id).substr(1));
    std::size_t count = 0;
    std::uint64_t bytes = 0;
    for (const auto& file : files) {
        if (known.contains(file.name)) continue;
        ++count;
        bytes += file.bytes;
    }
    if (count == 0) return {name, Verdict::ok, "none", {}};
    return {name, Verdict::problem,
            fmt::format("{} segments of earlier runs hold {} under {}", count, format_size(bytes),
                        config.shm_path),
            "snakepit-shm serve removes those that nobody uses when it starts"};
}

Check check_logout(const Config& config) {
    const std::string name = "logout";
    if (!logout_removes_segments(config.shm_path))
        return {name, Verdict::ok, "regions stay when this user logs out", {}};
    return {name, Verdict::warning,
            "when this user's last session ends, systemd-logind removes what the user has in "
            "/dev/shm and the runtime directory, in use or not (RemoveIPC=yes)",
            "loginctl enable-linger, or RemoveIPC=no in logind.conf, or the host's own service"};
}

std::vector<Check> check_limits(const Config& config) {
    std::vector<Check> out;
    const auto limits = process_limits();
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

}  // namespace snakepit::shm::cli
