// SPDX-License-Identifier: MIT
#include "survey/linux/process_table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kMostThreads = 4096;           // checked for namespaces of their own
constexpr std::uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD, include/linux/sched.h

std::int64_t pid_of(const char* name) {
    std::string_view text(name);
    const auto pid = take_number(text);
    return text.empty() ? pid : -1;
}

// The numbers of a line like "\nUid:\t1000\t1000\t1000\t1000" in a status file.
std::vector<std::uint32_t> numbers_of(std::string_view status, std::string_view key) {
    std::vector<std::uint32_t> out;
    const auto line = status.find(key);
    if (line == status.npos) return out;
    status.remove_prefix(line + key.size());
    status = status.substr(0, status.find('\n'));
    for (auto number = take_number(status); number >= 0; number = take_number(status))
        out.push_back(static_cast<std::uint32_t>(number));
    return out;
}

bool overlap(const std::vector<std::uint32_t>& left, const std::vector<std::uint32_t>& right) {
    return std::find_first_of(left.begin(), left.end(), right.begin(), right.end()) != left.end();
}

bool refused() {
    return errno == EACCES || errno == EPERM;
}

// Of a stat file: "pid (name) state ppid …"; the name may hold anything.
struct Stat {
    std::string name;
    char state = '?';
    std::uint64_t flags = 0;
    std::int64_t threads = 0;
};
std::optional<Stat> parse_stat(const std::string& text) {
    const auto open = text.find('('), close = text.rfind(')');
    if (open == text.npos || close == text.npos || close + 2 >= text.size()) return std::nullopt;
    Stat out{.name = text.substr(open + 1, close - open - 1), .state = text[close + 2]};
    std::string_view rest(text);
    rest.remove_prefix(close + 3);
    for (int field = 4; field < 9; ++field) (void)take_number(rest);
    out.flags = static_cast<std::uint64_t>(std::max<std::int64_t>(0, take_number(rest)));
    for (int field = 10; field < 20; ++field) (void)take_number(rest);
    out.threads = take_number(rest);
    return out;
}

}  // namespace

std::string home_of(const Process& process) {
    return process.thread == 0 ? fmt::format("{}", process.pid)
                               : fmt::format("{}/task/{}", process.pid, process.thread);
}

Result<ProcessTable> ProcessTable::read(const std::string& proc_path, Timestamp now) {
    ProcessTable table;
    table.proc_ = Handle(::open(proc_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!table.proc_) return fail(system_error(errno, fmt::format("cannot open {}", proc_path)));
    const auto directory = open_directory(table.proc(), ".");
    if (!directory) return fail(system_error(errno, fmt::format("cannot list {}", proc_path)));
    table.boot_ = boot_time(table.proc(), now);
    table.own_pid_ns_ = namespace_of(table.proc(), "self/ns/pid");
    while (const auto* entry = ::readdir(directory.get())) {
        const auto pid = pid_of(entry->d_name);
        if (pid <= 0) continue;
        if (const auto process = table.read_process(entry->d_name, pid); process.pid > 0) {
            table.processes_.push_back(process);
            table.listed_.insert(pid);
        }
    }
    for (std::size_t at = 0, count = table.processes_.size(); at < count; ++at) {
        table.processes_[at].has_threads = table.has_threads(table.processes_[at]);
        if (table.processes_[at].has_threads) table.add_threads(Process(table.processes_[at]));
    }
    // The first process never ends, so if it is missing it is hidden, and others are too.
    table.all_listed_ = table.is_listed(1) && !hides_processes(table.proc());
    return table;
}

// Its number is 0 when it ended meanwhile.
Process ProcessTable::read_process(const char* name, std::int64_t pid) const {
    Process process;
    const Handle at(::openat(proc(), name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    struct stat info {};
    if (!at || ::fstat(at.get(), &info) != 0) return process;
    process.pid = pid;
    process.uid = info.st_uid;
    process.mount_ns = namespace_of(at.get(), "ns/mnt");
    if (process.mount_ns == 0) return process;  // not accessible
    process.ipc_ns = namespace_of(at.get(), "ns/ipc");
    process.pid_ns = namespace_of(at.get(), "ns/pid");
    if (::fstatat(at.get(), "root", &info, 0) == 0) {
        process.root_device = info.st_dev;
        process.root_inode = info.st_ino;
    }
    return process;
}

View ProcessTable::own_view() const {
    struct stat root {};
    if (::fstatat(proc(), "self/root", &root, 0) != 0) return {};
    return {namespace_of(proc(), "self/ns/mnt"), root.st_dev, root.st_ino};
}

// The link count of a directory is the number of its subdirectories plus two.
bool ProcessTable::has_threads(const Process& process) const {
    constexpr nlink_t kOfFirst = 3;
    struct stat info {};
    return ::fstatat(proc(), fmt::format("{}/task", process.pid).c_str(), &info, 0) == 0 &&
           info.st_nlink > kOfFirst;
}

// A thread may have left the namespaces of its process, and act for another user.
void ProcessTable::add_threads(const Process& process) {
    if (threads_looked_at_ >= kMostThreads) return;
    const auto tasks = fmt::format("{}/task", process.pid);
    const auto directory = open_directory(proc(), tasks.c_str());
    if (!directory) return;
    while (const auto* entry = ::readdir(directory.get())) {
        const auto number = pid_of(entry->d_name);
        if (number <= 0 || number == process.pid) continue;
        if (++threads_looked_at_ > kMostThreads) {
            threads_left_out_ = true;
            return;
        }
        const auto thread = read_process(fmt::format("{}/{}", tasks, number).c_str(), process.pid);
        const bool at_home =
            thread.mount_ns == 0 ||
            (thread.mount_ns == process.mount_ns && thread.ipc_ns == process.ipc_ns &&
             thread.root_device == process.root_device && thread.root_inode == process.root_inode);
        if (thread.pid == 0 || (at_home && thread.uid == process.uid)) continue;
        processes_.push_back(thread);
        processes_.back().thread = number;
    }
}

const std::string& ProcessTable::name_of(std::int64_t pid) const {
    auto [known, fresh] = names_.try_emplace(pid);
    auto& name = known->second;
    if (fresh) name = read_file(proc(), fmt::format("{}/comm", pid).c_str()).value_or("");
    if (name.ends_with('\n')) name.pop_back();
    return name;
}

ProcessFacts ProcessTable::find(std::int64_t pid) const {
    auto [known, fresh] = facts_.try_emplace(pid);
    if (fresh) known->second = read_facts(pid);
    return known->second;
}

ProcessFacts ProcessTable::read_facts(std::int64_t pid) const {
    ProcessFacts facts{.pid = pid};
    const auto text = read_file(proc(), fmt::format("{}/stat", pid).c_str());
    if (!text) {
        const bool absent = errno == ESRCH || errno == ENOENT;
        if (absent && all_listed_) facts.life = Life::gone;
        return facts;
    }
    const auto stat = parse_stat(*text);
    if (!stat) return facts;
    // Its first thread may end before the others.
    const bool ended = (stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1;
    facts.life = ended ? Life::gone : Life::lives;
    facts.name = stat->name;
    facts.kernel = (stat->flags & kKernelThread) != 0;
    if (is_listed(pid)) return facts;
    // A thread has a directory too, which is not listed.
    const auto status = read_file(proc(), fmt::format("{}/status", pid).c_str());
    const auto process = numbers_of(status.value_or(""), "\nTgid:");
    if (!process.empty() && process.front() != pid) facts.process = process.front();
    return facts;
}

const std::optional<Credentials>& ProcessTable::credentials_of(const Process& process) const {
    // Threads have numbers that no process has.
    auto [known, fresh] =
        credentials_.try_emplace(process.thread == 0 ? process.pid : process.thread);
    if (!fresh) return known->second;
    const auto status = read_file(proc(), (home_of(process) + "/status").c_str());
    if (!status) {
        if (!refused()) known->second.emplace();  // it ended meanwhile
        return known->second;
    }
    auto& out = known->second.emplace();
    out.users = numbers_of(*status, "\nUid:");
    out.groups = numbers_of(*status, "\nGid:");
    const auto more = numbers_of(*status, "\nGroups:");
    out.groups.insert(out.groups.end(), more.begin(), more.end());
    return known->second;
}

Answer ProcessTable::is_let_in(const Process& process, const Access& access) const {
    const std::vector<std::uint32_t> shown{process.uid};
    if (access.everybody || overlap(access.users, shown)) return Answer::yes;
    const auto& who = credentials_of(process);
    if (!who) return Answer::not_told;
    return overlap(access.users, who->users) || overlap(access.groups, who->groups) ? Answer::yes
                                                                                    : Answer::no;
}

Found ProcessTable::anyone(const Access& access) const {
    auto [known, fresh] = let_in_.try_emplace(access);
    if (fresh) known->second = look_for(access);
    return known->second;
}

Found ProcessTable::look_for(const Access& access) const {
    Found out{.answer = all_listed_ ? Answer::no : Answer::not_told};
    const auto self = ::getpid();
    for (const auto& process : processes_) {
        if (process.pid == self) continue;
        const auto answer = is_let_in(process, access);
        if (answer == Answer::not_told) out.answer = Answer::not_told;
        if (answer != Answer::yes) continue;
        const auto facts = find(process.pid);
        if (facts.kernel || facts.life == Life::gone) continue;
        return {Answer::yes, process.pid, name_of(process.pid), false};
    }
    return out;
}

Found ProcessTable::find_software(std::uint32_t uid, SoftwareSet software) const {
    auto [known, fresh] = software_found_.try_emplace({uid, software});
    if (fresh) known->second = look_for_software(uid, software);
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
Found ProcessTable::look_for_software(std::uint32_t uid, SoftwareSet software) const {
    Found out{.answer = all_listed_ ? Answer::no : Answer::not_told};
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
        if (find(process.pid).life == Life::gone) continue;
        // A process name does not prove the software, but a different name makes it less likely.
        const bool may_be = runs || (software_of_executable(name_of(process.pid)) & software) != 0;
        if (may_be || name_of(process.pid).empty()) out.answer = Answer::not_told;
        out.partly = true;
    }
    return out;
}

void ProcessTable::share(std::uint64_t device, const Process& process) {
    if (process.pid_ns != 0 && process.pid_ns != own_pid_ns_) sharers_[device].push_back(process);
}

// The line NSpid of its status has its pids in all its namespaces.
Found ProcessTable::find_in_containers(std::uint64_t device, std::int64_t pid) const {
    const auto sharers = sharers_.find(device);
    if (sharers == sharers_.end()) return {.answer = Answer::no};
    auto [known, fresh] = inner_.try_emplace(device, Answer::no, Inner());
    auto& [answer, numbers] = known->second;
    for (const auto& process : sharers->second) {
        if (!fresh) break;
        const auto status = read_file(proc(), fmt::format("{}/status", process.pid).c_str());
        if (!status && refused()) answer = Answer::not_told;
        const auto all = numbers_of(status.value_or(""), "\nNSpid:");
        for (std::size_t depth = 1; depth < all.size(); ++depth)
            numbers.emplace(all[depth], process.pid);
    }
    const auto found = numbers.find(pid);
    if (found == numbers.end()) return {.answer = answer};
    return {Answer::yes, found->second, name_of(found->second), false};
}

}  // namespace snakepit::shm::survey
