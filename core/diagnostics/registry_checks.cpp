// SPDX-License-Identifier: MIT
#include "diagnostics/registry_checks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "base/pluralize.h"
#include "base/time.h"
#include "base/units.h"
#include "diagnostics/host_facts.h"
#include "diagnostics/registry_file.h"
#include "layout/ownership.h"
#include "layout/registry_reader.h"
#include "platform/backend.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::int64_t kSilentMicros = 5'000'000;  // a heartbeat is due every second

// Those that hold memory people may see, each as of one moment.
template <typename Look>
std::size_t for_each_region(const RegistryFile& file, Look look) {
    std::size_t regions = 0;
    for (std::uint32_t i = 0; i < file.frontier(); ++i) {
        if (!Control::decode(file.word(i)).occupied()) continue;
        const auto slot = file.slot(i);
        if (!slot || !slot->control().occupied()) continue;
        ++regions;
        look(i, *slot);
    }
    return regions;
}

// The path of a segment; empty for unnamed memory.
std::optional<std::string> path_of(const RegistryQuestion& question, const std::string& name) {
    if (name.starts_with(kAnonymousPrefix)) return std::nullopt;
    return name.starts_with(kDurablePrefix) ? question.paths.state_dir + "/" + name
                                            : question.shm_path + name;
}

// The fault of a region's segment; empty: none.
std::string fault(const SlotCopy& slot, const std::string& path) {
    const auto facts = file_facts(path);
    if (!facts) return path + " is missing";
    const auto& body = slot.current();
    if (!facts->regular) return path + " is not a regular file";
    if (facts->uid != ::geteuid()) return fmt::format("{} belongs to user {}", path, facts->uid);
    if ((facts->mode & 0077U) != 0)
        return fmt::format("{} can be opened by others (mode {:04o})", path, facts->mode);
    if (facts->identity != FileIdentity{body.device, body.inode})
        return path + " was replaced by another segment";
    const auto expected = body.arena == 0 ? body.actual_size : body.offset + body.actual_size;
    if (facts->bytes < expected || (body.arena == 0 && facts->bytes != expected))
        return fmt::format("{} has {} instead of {}", path, format_size(facts->bytes),
                           format_size(expected));
    return {};
}

std::string repair(const std::string& what, const RegionId& id, const std::string& path) {
    return what.find("can be opened by others") != std::string::npos
               ? "chmod 0600 " + path
               : fmt::format(
                     "'snakepit-shm info {}' shows its holders; save what you need, then "
                     "deallocate it",
                     id.str());
}

// Names, as in the directory, of every segment that a slot in use has or may be getting.
std::unordered_set<std::string> known_segments(const RegistryFile& file,
                                               const RegistryQuestion& question) {
    std::unordered_set<std::string> out;
    for (const auto& arena : question.arenas) out.insert(arena.substr(arena.find('/') + 1));
    for (std::uint32_t i = 0; i < file.frontier(); ++i) {
        if (Control::decode(file.word(i)).state == SlotState::free) continue;
        const auto slot = file.slot(i);
        if (!slot) continue;
        const auto own = segment_name(question.paths.instance, slot->id()).substr(1);
        for (const auto* suffix : {"", "_second", "_sealed", "_second_sealed"})
            out.insert(own + suffix);
        for (const auto& body : slot->body)
            if (body.arena != 0)
                out.insert(arena_name(question.paths.instance, body.arena).substr(1));
    }
    return out;
}

// Segments in the directory that are this instance's by their name. One of another instance whose
// name begins with ours has neither an arena's digits nor a region's id behind that.
std::vector<FileFacts> own_segments(const RegistryQuestion& question) {
    const auto prefix = fmt::format("snakepit_{}_", question.paths.instance);
    auto out = files_with_prefix(question.shm_path, prefix);
    std::erase_if(out, [&](const FileFacts& file) {
        const auto rest = std::string_view(file.name).substr(prefix.size());
        return !rest.starts_with("shm_") &&
               (!arena_of(rest) || (question.manager_runs && !question.arenas_complete));
    });
    return out;
}

std::vector<FileFacts> unknown_segments(const RegistryQuestion& question) {
    auto out = own_segments(question);  // first: later segments are not in the list
    std::unordered_set<std::string> known;
    if (const auto file = RegistryFile::open(question.paths.registry()))
        known = known_segments(*file, question);
    std::erase_if(out, [&](const FileFacts& file) { return known.contains(file.name); });
    return out;
}

std::string total(const std::vector<FileFacts>& files) {
    std::uint64_t bytes = 0;
    for (const auto& file : files) bytes += file.bytes;
    return format_size(bytes);
}

// Removes segments from `files` that belong to another user, or to another manager of the same name
// that runs or may be started again, by the manager's own rule. Returns a description of them.
std::string of_other_managers(const RegistryQuestion& question, std::vector<FileFacts>& files) {
    const auto runtime = file_facts(question.paths.registry());
    const auto uid = runtime ? runtime->uid : ::geteuid();
    const auto file = RegistryFile::open(question.paths.registry());
    auto owners = Ownership::read(question.shm_path, question.paths.instance, uid,
                                  file ? file->view().header().epoch : 0);
    const auto prefix = fmt::format("snakepit_{}_", question.paths.instance);
    const auto mine =
        std::stable_partition(files.begin(), files.end(), [&](const FileFacts& segment) {
            if (segment.uid != uid) return false;
            const auto number = number_of(std::string_view(segment.name).substr(prefix.size()));
            if (!number) return true;
            const auto owner = owners.owner(tag_of(*number));
            return owner == Owner::us || owner == Owner::nobody || !owners.marked(tag_of(*number));
        });
    const std::vector<FileFacts> others(mine, files.end());
    files.erase(mine, files.end());
    if (others.empty()) return {};
    return fmt::format("{} with {} belong, or may belong, to other managers of this name",
                       pluralize(others.size(), "segment"), total(others));
}

}  // namespace

Check check_registry(const RegistryQuestion& question) {
    const std::string name = "registry";
    const auto file = RegistryFile::open(question.paths.registry());
    if (!file) {
        if (file.error().type() == ErrorType::no_manager && !question.manager_runs)
            return sound(name, "none: no manager has run since the last start of the system");
        return problem(name, file.error());
    }
    if (!file->of_this_boot())
        return {name, CheckResult::warning, "it was written before the last start of the system",
                "'snakepit-shm serve' sets it aside when it starts"};
    std::size_t damaged = 0;
    const auto regions = for_each_region(*file, [&](std::uint32_t, const SlotCopy& slot) {
        damaged += slot.control().damaged ? 1 : 0;
    });
    // A running manager reports each of them.
    if (damaged > 0 && !question.manager_runs)
        return {name, CheckResult::problem,
                fmt::format("{} of {} regions are damaged", damaged, regions),
                "list them with 'snakepit-shm list state:damaged', then deallocate them"};
    const auto& state = file->view().state();
    const auto silent = now().micros - heartbeat_of(state, true).micros;
    if (question.manager_runs && silent > kSilentMicros)
        return {name, CheckResult::problem,
                fmt::format("the last heartbeat of the manager (pid {}) was {} ago",
                            state.manager_pid.load(std::memory_order_relaxed),
                            format_duration(silent / 1000)),
                "check that process; it may be stopped or starved"};
    return sound(name, fmt::format("readable, {}", pluralize(regions, "region")));
}

Check check_region_checksums(const RegistryQuestion& question) {
    const std::string name = "region_checksums";
    const auto file = RegistryFile::open(question.paths.registry());
    if (!file) return sound(name, "no registry exists");
    Findings findings;
    const auto regions = for_each_region(*file, [&](std::uint32_t index, const SlotCopy& slot) {
        if (slot.control().damaged || slot.intact()) return;  // damaged: already reported
        findings.add(slot.named()
                         ? fmt::format("the description of {} fails its checksum", slot.id().str())
                         : fmt::format("the contents of slot {} are unknown", index));
    });
    if (findings.count() == 0) return sound(name, pluralize(regions, "region"));
    return {name, CheckResult::problem, findings.text(),
            question.manager_runs
                ? "list them with 'snakepit-shm list state:damaged', save what you need, then "
                  "deallocate them"
                : "'snakepit-shm serve' isolates them when it starts; then deallocate them"};
}

Check check_region_segments(const RegistryQuestion& question) {
    const std::string name = "region_segments";
    const auto file = RegistryFile::open(question.paths.registry());
    if (!file || !file->of_this_boot()) return sound(name, "no registry exists");
    Findings findings;
    std::string remedy;
    std::size_t without_name = 0;
    const auto regions = for_each_region(*file, [&](std::uint32_t index, const SlotCopy& slot) {
        if (!slot.intact() || slot.control().damaged) return;
        const auto path =
            path_of(question, segment_name(question.paths.instance, slot.id(), slot.current()));
        if (!path) {
            ++without_name;
            return;
        }
        const auto what = fault(slot, *path);
        // The same word before and after: the segment had to exist all the time.
        if (what.empty() || file->word(index) != slot.word) return;
        findings.add(fmt::format("region {}: {}", slot.id().str(), what));
        if (remedy.empty()) remedy = repair(what, slot.id(), *path);
    });
    if (findings.count() > 0) return {name, CheckResult::problem, findings.text(), remedy};
    auto found = pluralize(regions, "region");
    if (without_name > 0)
        found += fmt::format(
            ", {} of them unnamed: {}", without_name,
            question.manager_runs ? "the manager checks those" : "only a manager can check those");
    return sound(name, found);
}

Check check_stale_segments(const RegistryQuestion& question) {
    const std::string name = "leftover_segments";
    auto files = unknown_segments(question);
    if (question.manager_runs && !files.empty()) {
        // A segment that was being removed at the first check is gone at the second.
        const auto again = unknown_segments(question);
        std::erase_if(files, [&](const FileFacts& file) {
            return std::none_of(again.begin(), again.end(), [&](const FileFacts& other) {
                return other.name == file.name && other.identity == file.identity;
            });
        });
    }
    const auto of_others = of_other_managers(question, files);
    if (files.empty()) return sound(name, of_others.empty() ? "none" : of_others);
    auto found = fmt::format("{} of earlier runs hold {} under {}",
                             pluralize(files.size(), "segment"), total(files), question.shm_path);
    if (!of_others.empty()) found += "; " + of_others;
    const auto by_hand =
        fmt::format("'snakepit-shm host clean {}' removes one that is unused", files.front().name);
    if (!question.manager_runs)
        return {name, CheckResult::problem, found,
                "'snakepit-shm serve' removes those whose manager has ended for good;  " + by_hand};
    return {name, CheckResult::warning, found,
            fmt::format("fuser {}/{} names who uses it; {}", question.shm_path, files.front().name,
                        by_hand)};
}

}  // namespace snakepit::shm
