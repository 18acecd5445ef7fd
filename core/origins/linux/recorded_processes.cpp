// SPDX-License-Identifier: MIT
#include "origins/linux/recorded_processes.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "base/secrets.h"
#include "survey/linux/images.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::origins {

namespace {

using survey::Answer;
using survey::RecordedProcess;

constexpr std::size_t kMostProcesses = 4096;  // whose end is awaited
constexpr std::size_t kLongestCommand = 1000;
// Microseconds for each pid there is, at 10,000 new processes a second. For so long after a process
// was seen, its pid is its own: pids are given out in a circle.
constexpr std::int64_t kForEachPid = 100;
constexpr std::int64_t kFewestPids = 4096, kMostPids = 1 << 22;

// PIDFD_GET_INFO of <linux/pidfd.h>, which older systems do not have.
struct PidfdInfo {
    std::uint64_t mask, cgroup_id;
    std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    std::int32_t exit_code;
    std::uint32_t coredump_mask, spare;
};
constexpr std::uint64_t kInfoCredentials = 2, kInfoExit = 8;  // since Linux 6.13 and 6.15

std::optional<PidfdInfo> info_of(const Handle& process, std::uint64_t wanted) {
    PidfdInfo info{};
    info.mask = wanted;
    if (::ioctl(process.get(), _IOWR(0xFF, 11, PidfdInfo), &info) != 0 || (info.mask & wanted) == 0)
        return std::nullopt;
    return info;
}

// As long as it is not reaped its pid is its own.
bool is_there(const Handle& process) {
    return ::syscall(SYS_pidfd_send_signal, process.get(), 0, nullptr, 0) == 0 || errno != ESRCH;
}

std::uint32_t user_of(int home, const Handle& process, std::uint32_t owner) {
    if (const auto info = info_of(process, kInfoCredentials)) return info->euid;
    if (owner != 0) return owner;
    // The directory of a process that may not be inspected belongs to root.
    const auto ids = survey::numbers_of(survey::read_file(home, "status").value_or(""), "\nUid:");
    return ids.size() > 1 ? ids[1] : owner;
}

// A name alone is anybody's: the file belongs to root or `owner`, and nobody else may write it.
bool is_program_of_ours(int home, const std::string& executable, std::uint32_t owner) {
    if (!survey::file_name(executable).starts_with("snakepit-shm")) return false;
    struct stat info {};
    return ::fstatat(home, "exe", &info, 0) == 0 && (info.st_uid == 0 || info.st_uid == owner) &&
           (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

std::string command_of(int home) {
    const auto text = survey::read_file(home, "cmdline").value_or("");
    std::vector<std::string> words;
    for (std::string_view rest(text); !rest.empty();) {
        const auto word = rest.substr(0, rest.find('\0'));
        words.emplace_back(word);
        rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    }
    return redacted_command(words).substr(0, kLongestCommand);
}

}  // namespace

Result<RecordedProcesses> RecordedProcesses::open(std::int64_t last_id, bool commands) {
    RecordedProcesses out;
    out.proc_ = Handle(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    out.ends_ = Handle(::epoll_create1(EPOLL_CLOEXEC));
    if (!out.proc_ || !out.ends_) return fail(system_error(errno, "cannot watch processes"));
    struct stat own {};
    if (::fstatat(out.proc_.get(), "self/exe", &own, 0) == 0) out.owner_ = own.st_uid;
    out.groups_ = survey::GroupTree::open();
    out.last_id_ = last_id;
    auto text = survey::read_file(out.proc_.get(), "sys/kernel/pid_max").value_or("");
    std::string_view pids(text);
    out.pid_stays_ = std::clamp(survey::take_number(pids), kFewestPids, kMostPids) * kForEachPid;
    out.commands_ = commands;
    return out;
}

std::optional<RecordedProcesses::Facts> RecordedProcesses::read(std::int64_t pid,
                                                                const Handle& process) const {
    const Handle home(
        ::openat(proc_.get(), fmt::format("{}", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (!home || ::fstat(home.get(), &info) != 0) return std::nullopt;
    const auto stat = survey::parse_stat(survey::read_file(home.get(), "stat").value_or(""));
    if (!stat) return std::nullopt;
    Facts facts;
    auto& out = facts.process;
    out = {.pid = pid, .started = stat->started, .program = stat->name};
    out.executable = survey::read_link(home.get(), "exe");
    out.cgroup = survey::group_in(survey::read_file(home.get(), "cgroup").value_or(""));
    out.cgroup_id = groups_.id_of(out.cgroup);
    out.pid_namespace = survey::namespace_of(home.get(), "ns/pid");
    out.uid = user_of(home.get(), process, info.st_uid);
    if (commands_) out.command = command_of(home.get());
    facts.ours = is_program_of_ours(home.get(), out.executable, owner_);
    // What was read is its own only if the pid still is.
    return is_there(process) ? std::optional(std::move(facts)) : std::nullopt;
}

std::int64_t RecordedProcesses::identify(std::int64_t pid, Handle process, Moment at, Batch& out) {
    if (pid <= 0) return 0;
    if (const auto found = known_.find(pid); found != known_.end()) {
        auto& known = found->second;
        const bool there = known.process && is_there(known.process);
        if (there) known.confirmed = at.boot;
        if (there || (!process && at.boot - known.confirmed <= pid_stays_)) return known.id;
        if (known.process) note_end(known, at, out);
    }
    if (!process) return 0;
    auto facts = read(pid, process);
    if (!facts) return 0;
    make_room();
    auto& known = known_[pid];
    epoll_event wanted{.events = EPOLLIN, .data = {.u64 = static_cast<std::uint64_t>(pid)}};
    (void)::epoll_ctl(ends_.get(), EPOLL_CTL_ADD, process.get(), &wanted);
    known = {.id = ++last_id_, .process = std::move(process), .confirmed = at.boot};
    known.executable = facts->process.executable;
    known.ours = facts->ours;
    order_.emplace_back(pid, known.id);
    out.processes.push_back({known.id, std::move(facts->process), at});
    return known.id;
}

std::int64_t RecordedProcesses::identify(std::int64_t pid, Moment at, Batch& out) {
    if (pid <= 0) return 0;
    return identify(pid, Handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))), at, out);
}

bool RecordedProcesses::is_ours(std::int64_t id, std::int64_t pid) const {
    const auto found = known_.find(pid);
    if (found == known_.end() || found->second.id != id || !found->second.ours) return false;
    // It may run another program since.
    const Handle home(
        ::openat(proc_.get(), fmt::format("{}", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return home && is_program_of_ours(home.get(), survey::read_link(home.get(), "exe"), owner_) &&
           is_there(found->second.process);
}

void RecordedProcesses::confirm(std::int64_t id, std::int64_t pid, Moment at) {
    const auto found = known_.find(pid);
    if (found == known_.end() || found->second.id != id) return;
    if (found->second.process && is_there(found->second.process)) found->second.confirmed = at.boot;
}

Answer RecordedProcesses::runs(std::int64_t id, std::int64_t pid, survey::SoftwareSet software) {
    const auto found = known_.find(pid);
    if (found == known_.end() || found->second.id != id) return Answer::not_told;
    auto& known = found->second;
    if ((survey::software_of_executable(survey::file_name(known.executable)) & software) != 0)
        return Answer::yes;
    if (!known.libraries) {
        const auto maps = survey::read_file(proc_.get(), fmt::format("{}/maps", pid).c_str());
        if (!maps || !known.process || !is_there(known.process)) return Answer::not_told;
        survey::SoftwareSet all = 0;
        for (std::string_view rest(*maps); !rest.empty();) {
            const auto line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(line.size() + 1, rest.size()));
            if (const auto map = survey::parse_map_line(line))
                all |= survey::software_of_library(survey::file_name(map->path));
        }
        known.libraries = all;
    }
    return (*known.libraries & software) != 0 ? Answer::yes : Answer::no;
}

// Of one that is reaped.
void RecordedProcesses::note_end(Known& known, Moment at, Batch& out) {
    const auto info = info_of(known.process, kInfoExit);
    out.ends.push_back({known.id, at, info ? std::optional(int{info->exit_code}) : std::nullopt});
    known.process.reset();
}

void RecordedProcesses::note_ends(Moment at, Batch& out) {
    std::array<epoll_event, 256> events{};
    for (;;) {
        const auto count =
            ::epoll_wait(ends_.get(), events.data(), static_cast<int>(events.size()), 0);
        for (int i = 0; i < count; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            const auto found = known_.find(static_cast<std::int64_t>(event.data.u64));
            if (found == known_.end() || !found->second.process) continue;
            auto& known = found->second;
            const bool reaped = (event.events & EPOLLHUP) != 0;
            if ((event.events & EPOLLIN) != 0) out.ends.push_back({known.id, at, std::nullopt});
            if (!reaped && is_there(known.process) && info_of(known.process, kInfoCredentials)) {
                // The kernel keeps its status until then, and reports that as a hang-up.
                epoll_event later{.events = 0, .data = event.data};
                (void)::epoll_ctl(ends_.get(), EPOLL_CTL_MOD, known.process.get(), &later);
                continue;
            }
            if (const auto info = info_of(known.process, kInfoExit))
                out.ends.push_back({known.id, {}, info->exit_code});
            known.process.reset();
        }
        if (count < static_cast<int>(events.size())) return;
    }
}

void RecordedProcesses::make_room() {
    while (order_.size() >= kMostProcesses) {
        const auto [pid, id] = order_.front();
        order_.pop_front();
        const auto found = known_.find(pid);
        if (found != known_.end() && found->second.id == id) known_.erase(found);
    }
}

void RecordedProcesses::forget_all() {
    known_.clear();
    order_.clear();
}

}  // namespace snakepit::shm::origins
