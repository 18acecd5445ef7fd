// SPDX-License-Identifier: MIT
#include "survey/linux/process_table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::int64_t kMicros = 1'000'000;

std::int64_t pid_of(const char* name) {
    std::string_view text(name);
    const auto pid = take_number(text);
    return text.empty() ? pid : -1;
}

// Those of "Uid:\t1000\t1000\t1000\t1000" in a status file.
std::vector<std::uint32_t> users_in(std::string_view status) {
    std::vector<std::uint32_t> out;
    const auto line = status.find("\nUid:");
    if (line == status.npos) return out;
    status.remove_prefix(line + 5);
    status = status.substr(0, status.find('\n'));
    for (auto uid = take_number(status); uid >= 0; uid = take_number(status))
        out.push_back(static_cast<std::uint32_t>(uid));
    return out;
}

}  // namespace

Result<ProcessTable> ProcessTable::read(const std::string& proc_path, Timestamp now) {
    ProcessTable table;
    table.proc_ = Handle(::open(proc_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!table.proc_) return fail(system_error(errno, fmt::format("cannot open {}", proc_path)));
    const auto directory = open_directory(table.proc(), ".");
    if (!directory) return fail(system_error(errno, fmt::format("cannot list {}", proc_path)));
    table.boot_ = boot_time(table.proc(), now);
    while (const auto* entry = ::readdir(directory.get())) {
        Process process{.pid = pid_of(entry->d_name)};
        if (process.pid <= 0) continue;
        const Handle at(
            ::openat(table.proc(), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        struct stat owner {};
        if (!at || ::fstat(at.get(), &owner) != 0) continue;  // it ended meanwhile
        process.uid = owner.st_uid;
        process.mount_ns = namespace_of(at.get(), "ns/mnt");
        process.ipc_ns = namespace_of(at.get(), "ns/ipc");
        table.processes_.push_back(process);
    }
    return table;
}

const std::string& ProcessTable::name_of(std::int64_t pid) const {
    auto [known, fresh] = names_.try_emplace(pid);
    auto& name = known->second;
    if (fresh) name = read_file(proc(), fmt::format("{}/comm", pid).c_str()).value_or("");
    if (name.ends_with('\n')) name.pop_back();
    return name;
}

std::optional<ProcessFacts> ProcessTable::find(std::int64_t pid) const {
    const auto known = facts_.find(pid);
    if (known != facts_.end()) return known->second;
    return facts_[pid] = read_facts(pid);
}

std::optional<ProcessFacts> ProcessTable::read_facts(std::int64_t pid) const {
    const auto stat = read_file(proc(), fmt::format("{}/stat", pid).c_str());
    if (!stat) return std::nullopt;
    // "pid (name) state ppid …": the name may hold anything; the start is the 22nd field.
    const auto open = stat->find('('), close = stat->rfind(')');
    if (open == stat->npos || close == stat->npos || close + 2 >= stat->size()) return std::nullopt;
    const char state = (*stat)[close + 2];
    std::string_view rest(*stat);
    rest.remove_prefix(close + 3);
    for (int field = 4; field < 20; ++field) (void)take_number(rest);
    // Its first thread may end before the others.
    if (const auto threads = take_number(rest); (state == 'Z' || state == 'X') && threads <= 1)
        return std::nullopt;
    (void)take_number(rest);
    const auto ticks = take_number(rest);
    static const auto rate = ::sysconf(_SC_CLK_TCK);
    ProcessFacts facts{.pid = pid, .name = stat->substr(open + 1, close - open - 1)};
    facts.started = {boot_.micros + ticks * kMicros / rate};
    if (facts.name.starts_with(kPython)) {
        const auto words = read_file(proc(), fmt::format("{}/cmdline", pid).c_str());
        facts.resource_tracker =
            words && words->find("multiprocessing.resource_tracker") != words->npos;
    }
    return facts;
}

// A process that hides itself from its user's debuggers has a directory that belongs to root.
bool ProcessTable::is_of(const Process& process, std::uint32_t uid) const {
    if (uid == 0 || process.uid == uid) return true;
    if (process.uid != 0) return false;
    auto [known, fresh] = real_users_.try_emplace(process.pid);
    if (fresh)
        known->second =
            users_in(read_file(proc(), fmt::format("{}/status", process.pid).c_str()).value_or(""));
    return std::find(known->second.begin(), known->second.end(), uid) != known->second.end();
}

bool ProcessTable::user_has_any(std::uint32_t uid) const {
    const auto owns = [uid](const Process& process) { return process.uid == uid; };
    return std::any_of(processes_.begin(), processes_.end(), owns) ||
           std::any_of(processes_.begin(), processes_.end(),
                       [&](const Process& process) { return is_of(process, uid); });
}

// A name is cheap to read; what else is to be known of a process takes the kernel long.
void ProcessTable::each_of_user(std::uint32_t uid, std::string_view name,
                                const std::function<bool(const ProcessFacts&)>& take) const {
    for (const auto& process : processes_) {
        if (!is_of(process, uid) || !name_of(process.pid).starts_with(name)) continue;
        if (const auto facts = find(process.pid); facts && take(*facts)) return;
    }
}

std::optional<std::int64_t> ProcessTable::find_of_user(std::uint32_t uid,
                                                       std::string_view name) const {
    auto [known, fresh] = of_users_.try_emplace({uid, std::string(name)});
    if (fresh)
        each_of_user(uid, name, [&](const ProcessFacts& process) {
            known->second = process.pid;
            return true;
        });
    return known->second;
}

PythonFacts ProcessTable::python_of_user(std::uint32_t uid) const {
    auto [known, fresh] = python_.try_emplace(uid);
    if (fresh)
        each_of_user(uid, kPython, [&](const ProcessFacts& process) {
            known->second.count(process);
            return false;
        });
    return known->second;
}

}  // namespace snakepit::shm::survey
