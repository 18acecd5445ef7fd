// SPDX-License-Identifier: MIT
// Which processes may use a segment, and which run some software.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kMostThreadsAsked = 4096;  // asked for their ids

bool overlap(const std::vector<std::uint32_t>& left, const std::vector<std::uint32_t>& right) {
    return std::find_first_of(left.begin(), left.end(), right.begin(), right.end()) != left.end();
}

bool refused() {
    return errno == EACCES || errno == EPERM;
}

// With one of these a process uses segments of other users, or becomes another user
// (include/uapi/linux/capability.h).
constexpr std::uint64_t kIgnoresModes = 1ULL << 1 | 1ULL << 2 | 1ULL << 7 | 1ULL << 15;
// CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SETUID, CAP_IPC_OWNER

// A line like "\nCapPrm:\t000001ffffffffff".
bool has_privilege(std::string_view status, std::string_view key) {
    const auto line = status.find(key);
    if (line == status.npos) return false;
    status.remove_prefix(line + key.size());
    std::uint64_t set = 0;
    std::from_chars(status.data(), status.data() + status.find('\n'), set, 16);
    return (set & kIgnoresModes) != 0;
}

// What is permitted can be made effective at any time, and root regains all that it is not excluded
// from when it executes a program.
bool ignores_modes(std::string_view status, bool root) {
    return has_privilege(status, "\nCapPrm:\t") || (root && has_privilege(status, "\nCapBnd:\t"));
}

constexpr std::int64_t kAllIds = 0xFFFFFFFF;
const std::vector<std::uint32_t> kRoot{0};

// Lines of a uid_map: first id inside, first id outside, count.
bool covers(std::string_view map, std::uint32_t uid) {
    while (!map.empty()) {
        auto line = map.substr(0, map.find('\n'));
        map.remove_prefix(std::min(line.size() + 1, map.size()));
        (void)take_number(line);
        const auto first = take_number(line), count = take_number(line);
        if (first >= 0 && uid >= first && uid - first < count) return true;
    }
    return false;
}

bool covers_any(std::string_view map, const std::vector<std::uint32_t>& ids) {
    return std::any_of(ids.begin(), ids.end(), [map](std::uint32_t id) { return covers(map, id); });
}

bool has_the_same_ids(std::string_view map) {
    const auto inside = take_number(map), outside = take_number(map), count = take_number(map);
    return inside == 0 && outside == 0 && count == kAllIds;
}

}  // namespace

// Empty if they cannot be read. One that ended meanwhile has no ids.
const std::optional<Credentials>& ProcessTable::credentials_of(const Process& process) const {
    // Threads have numbers that no process has.
    auto [known, fresh] =
        credentials_.try_emplace(process.thread == 0 ? process.pid : process.thread);
    if (!fresh || process.covered) return known->second;
    Credentials out;
    if (add_credentials(home_of(process), out) && add_id_maps(process, out) &&
        (!process.has_threads || process.thread != 0 || add_credentials_of_threads(process, out)))
        known->second = std::move(out);
    return known->second;
}

bool ProcessTable::add_credentials(const std::string& home, Credentials& out) const {
    const auto status = read_file(proc(), (home + "/status").c_str());
    if (!status) return !refused() && is_gone(proc(), home);
    const auto add = [&status](std::vector<std::uint32_t>& all, std::string_view key) {
        for (const auto number : numbers_of(*status, key))
            if (std::find(all.begin(), all.end(), number) == all.end()) all.push_back(number);
    };
    add(out.users, "\nUid:");
    add(out.groups, "\nGid:");
    add(out.groups, "\nGroups:");
    out.ignores_modes = out.ignores_modes || ignores_modes(*status, overlap(out.users, kRoot));
    return true;
}

// All threads of a process are in the same user namespace. A system without user namespaces has no
// such files.
bool ProcessTable::add_id_maps(const Process& process, Credentials& out) const {
    const auto home = home_of(process);
    auto users = read_file(proc(), (home + "/uid_map").c_str());
    if (!users && is_gone(proc(), home)) {
        out = {};
        return true;
    }
    if (!users) return errno == ENOENT;
    if (has_the_same_ids(*users)) return true;
    out.user_map = std::move(users);
    out.group_map = read_file(proc(), (home + "/gid_map").c_str());
    return out.group_map.has_value() || is_gone(proc(), home);
}

// A thread may act for another user or group than its process.
bool ProcessTable::add_credentials_of_threads(const Process& process, Credentials& out) const {
    const auto tasks = fmt::format("{}/task", process.pid);
    const auto directory = open_directory(proc(), tasks.c_str());
    if (!directory) return is_gone(proc(), home_of(process));
    while (const auto* entry = ::readdir(directory.get())) {
        const auto number = pid_of(entry->d_name);
        if (number <= 0 || number == process.pid) continue;
        if (++threads_asked_ > kMostThreadsAsked) return false;
        if (!add_credentials(fmt::format("{}/{}", tasks, number), out)) return false;
    }
    return true;
}

// An administrator of the system may use everything, and does not count. Others with his privileges
// do, and those of a user namespace that has the owner: without privileges there, a process may
// gain them by a setuid program.
Answer ProcessTable::is_let_in(const Process& process, const Access& access) const {
    if (process.covered) return Answer::not_told;
    const std::vector<std::uint32_t> shown{process.uid};
    if (access.everybody || overlap(access.users, shown)) return Answer::yes;
    const auto& who = credentials_of(process);
    if (!who) return Answer::not_told;
    if (overlap(access.users, who->users) || overlap(access.groups, who->groups))
        return Answer::yes;
    if (who->user_map) {
        const auto& groups = who->group_map;
        const bool covered = covers_any(*who->user_map, access.users) ||
                             (groups && covers_any(*groups, access.groups));
        return covered ? Answer::not_told : Answer::no;
    }
    if (!who->ignores_modes) return Answer::no;
    return overlap(who->users, kRoot) ? Answer::no : Answer::not_told;
}

Answer ProcessTable::nobody() const {
    return all_listed_ && settled_ && !threads_left_out_ ? Answer::no : Answer::not_told;
}

Found ProcessTable::look_until_settled(const std::function<Found(bool& ended)>& look) const {
    Found out;
    for (int pass = 0; pass < kMostPasses; ++pass) {
        bool ended = false;
        out = look(ended);
        if (out.answer != Answer::no || !ended) return out;
        settled_ = settle();
    }
    out.answer = Answer::not_told;
    return out;
}

Found ProcessTable::anyone(const Access& access) const {
    auto [known, fresh] = let_in_.try_emplace(access);
    if (fresh)
        known->second = look_until_settled([&](bool& ended) { return look_for(access, ended); });
    return known->second;
}

Found ProcessTable::look_for(const Access& access, bool& ended) const {
    Found out{.answer = nobody()};
    const auto self = ::getpid();
    for (const auto& process : processes_) {
        if (process.pid == self) continue;
        const auto answer = is_let_in(process, access);
        if (answer == Answer::no) {
            const auto& who = credentials_of(process);
            if (who && who->users.empty()) ended = true;
            continue;
        }
        const auto facts = find(process.pid);
        if (facts.kernel) continue;
        // One that has ended but was not waited for has no children any more.
        if (facts.life == Life::gone) {
            if (is_gone(proc(), home_of(process))) ended = true;
            continue;
        }
        if (answer == Answer::yes) return {Answer::yes, process.pid, name_of(process.pid), false};
        out.answer = Answer::not_told;
    }
    return out;
}

Found ProcessTable::find_software(std::uint32_t uid, SoftwareSet software) const {
    auto [known, fresh] = software_found_.try_emplace({uid, software});
    if (fresh)
        known->second = look_until_settled(
            [&](bool& ended) { return look_for_software(uid, software, ended); });
    return known->second;
}

// Software run by root creates segments for other users too. Unreadable processes are recognised by
// name.
void ProcessTable::note_if_runs(std::int64_t pid, SoftwareSet software, Found& out) const {
    const auto runs = software_of(pid);
    if (((runs ? *runs : software_of_executable(name_of(pid))) & software) == 0) return;
    out.pid = pid;
    out.name = name_of(pid);
}

// Processes of an administrator can switch users, so for root all users count.
Found ProcessTable::look_for_software(std::uint32_t uid, SoftwareSet software, bool& ended) const {
    Found out{.answer = nobody()};
    const Access owner{{uid}, {}, uid == 0};
    const auto self = ::getpid();
    for (const auto& process : processes_) {
        if (process.pid == self) continue;
        const auto of_owner = is_let_in(process, owner);
        if (of_owner == Answer::no) {
            if (process.uid == 0 && out.pid == 0) note_if_runs(process.pid, software, out);
            continue;
        }
        const auto runs = software_of(process.pid);
        if (runs && (*runs & software) != 0 && of_owner == Answer::yes)
            return {Answer::yes, process.pid, name_of(process.pid), false};
        if (runs && (*runs & software) == 0) continue;
        if (find(process.pid).life == Life::gone) {
            if (is_gone(proc(), home_of(process))) ended = true;
            continue;
        }
        // A process name does not prove the software, but a different name makes it less likely.
        const bool may_be = runs || (software_of_executable(name_of(process.pid)) & software) != 0;
        if (may_be || name_of(process.pid).empty()) out.answer = Answer::not_told;
        out.partly = true;
    }
    return out;
}

Found ProcessTable::find_administrator() const {
    if (!administrator_)
        administrator_ =
            look_until_settled([this](bool& ended) { return look_for_administrator(ended); });
    return *administrator_;
}

// Privileges of another user namespace do not reach segments of ours; see is_let_in().
Answer ProcessTable::is_administrator(const Process& process, bool& ended) const {
    if (process.covered) return Answer::not_told;
    const auto& who = credentials_of(process);
    if (!who) return Answer::not_told;
    if (who->users.empty()) ended = true;
    return who->ignores_modes && !who->user_map ? Answer::yes : Answer::no;
}

Found ProcessTable::look_for_administrator(bool& ended) const {
    Found out{.answer = nobody()};
    const auto started_us = askers();
    for (const auto& process : processes_) {
        if (started_us.contains(process.pid)) continue;
        if (process.ipc_ns != 0 && process.ipc_ns != own_ipc_ns_) continue;
        const auto is = is_administrator(process, ended);
        if (is == Answer::no) continue;
        // A process leaves its namespaces when it ends, and has no memory any more.
        if (process.ipc_ns == 0 && !process.covered &&
            namespace_of(proc(), (home_of(process) + "/ns/ipc").c_str()) == 0 &&
            (errno == ENOENT || errno == ESRCH)) {
            facts_.erase(process.pid);
            if (find(process.pid).life != Life::gone || is_gone(proc(), home_of(process)))
                ended = true;
            continue;
        }
        const auto runs = software_of(process.pid);
        if (runs && (*runs & set_of(Software::system_service)) != 0) continue;
        const auto facts = find(process.pid);
        if (facts.kernel) continue;
        if (facts.life == Life::gone) {
            if (is_gone(proc(), home_of(process))) ended = true;
            continue;
        }
        out.pid = process.pid;
        out.name = name_of(process.pid);
        out.answer = Answer::not_told;
        if (is == Answer::yes && process.ipc_ns != 0) {
            out.answer = Answer::yes;
            return out;
        }
    }
    return out;
}

std::unordered_set<std::int64_t> ProcessTable::askers() const {
    std::unordered_set<std::int64_t> out;
    for (std::int64_t pid = ::getpid(); pid > 0 && out.insert(pid).second;) {
        const auto text = read_file(proc(), fmt::format("{}/stat", pid).c_str());
        const auto stat = text ? parse_stat(*text) : std::nullopt;
        pid = stat ? stat->parent : 0;
    }
    return out;
}

}  // namespace snakepit::shm::survey
