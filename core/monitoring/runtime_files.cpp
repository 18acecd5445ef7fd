// SPDX-License-Identifier: MIT
#include "monitoring/runtime_files.h"

#include <algorithm>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

// What became of the file; empty: nothing, or nothing that is certain.
std::string change_of(const FileState& made, const Result<FileState>& now) {
    if (names_nothing(now)) return "was removed";
    if (!now) return {};
    if (now->identity != made.identity) return "was replaced";
    if (now->size < made.size) return fmt::format("was cut to {} bytes", now->size);
    return {};
}

}  // namespace

void RuntimeFiles::watch(const InstancePaths& paths) {
    constexpr auto kRestart = "a restart of the manager loses every region";
    constexpr auto kEndPrograms =
        "let programs save what they need, then restart the manager; keep tidy-up jobs away from "
        "the runtime directory";
    const auto add = [&](const std::string& path, const char* consequence, const char* remedy) {
        const auto state = file_state_at(path);
        if (state) watched_.push_back({path, consequence, remedy, *state});
    };
    add(paths.control_socket(), "programs cannot reach the manager",
        "the manager binds it again; if that fails, restart it");
    add(paths.service_lock(), "a second manager could be started",
        "the manager locks a new one; if another has it, stop that one");
    add(paths.registry(), kRestart, kEndPrograms);
    add(paths.grants(), "a restart of the manager forgets who holds what", kEndPrograms);
    add(paths.locks(), "a restart of the manager forgets the locks that are held", kEndPrograms);
    add(paths.encryption(), "a restart of the manager loses encrypted regions", kEndPrograms);
    add(paths.lease_dir(), "programs cannot reconnect",
        "the manager makes it again; if that fails, restart it");
}

void RuntimeFiles::renew(const std::string& path) {
    for (auto& watched : watched_)
        if (watched.path == path)
            if (const auto state = file_state_at(path)) watched.made = *state;
    std::erase_if(faults_, [&](const Fault& fault) { return fault.path == path; });
}

void RuntimeFiles::check() {
    faults_.clear();
    for (const auto& watched : watched_)
        if (auto what = change_of(watched.made, file_state_at(watched.path)); !what.empty())
            faults_.push_back({watched.path, std::move(what), watched.consequence, watched.remedy});
}

std::string RuntimeFiles::fault_of(const std::string& path) const {
    const auto found = std::find_if(faults_.begin(), faults_.end(),
                                    [&](const Fault& fault) { return fault.path == path; });
    return found == faults_.end() ? std::string() : found->what;
}

}  // namespace snakepit::shm
