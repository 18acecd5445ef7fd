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
    struct stat info {};
    if (::fstat(table.proc(), &info) == 0) table.device_ = info.st_dev;
    table.own_pid_ns_ = namespace_of(table.proc(), "self/ns/pid");
    table.own_ipc_ns_ = namespace_of(table.proc(), "self/ns/ipc");
    (void)table.list_again();
    table.settled_ = table.settle();
    // The first process never ends, so if it is missing it is hidden, and others are too.
    table.all_listed_ =
        table.is_listed(1) && shows_us(table.proc()) && !hides_processes(table.proc());
    return table;
}

// A process that ends while it is read may have left a child that is not in the table.
bool ProcessTable::settle() const {
    for (int pass = 0; pass < kMostPasses; ++pass)
        if (list_again()) return true;
    return false;
}

bool ProcessTable::list_again() const {
    const auto directory = open_directory(proc(), ".");
    if (!directory) return false;
    bool same = true;
    std::unordered_set<std::int64_t> now;
    const auto before = processes_.size();
    while (const auto* entry = ::readdir(directory.get())) {
        const auto pid = pid_of(entry->d_name);
        if (pid <= 0) continue;
        if (listed_.contains(pid)) {
            now.insert(pid);
            continue;
        }
        same = false;
        const auto process = read_process(entry->d_name, pid);
        if (process.pid <= 0) continue;
        processes_.push_back(process);
        now.insert(pid);
        // What was known about this number is about another process.
        facts_.erase(pid);
        names_.erase(pid);
        credentials_.erase(pid);
        software_.erase(pid);
    }
    for (auto at = before, count = processes_.size(); at < count; ++at) {
        processes_[at].has_threads = has_threads(processes_[at]);
        if (processes_[at].has_threads) add_threads(Process(processes_[at]));
    }
    const auto ended = [&now](const Process& process) { return !now.contains(process.pid); };
    const auto rest = std::remove_if(processes_.begin(), processes_.end(), ended);
    if (rest != processes_.end()) same = false;
    processes_.erase(rest, processes_.end());
    listed_ = std::move(now);
    return same;
}

// Its number is 0 when it ended meanwhile.
Process ProcessTable::read_process(const char* name, std::int64_t pid) const {
    Process process;
    const Handle at(::openat(proc(), name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    struct stat info {};
    if (!at || ::fstat(at.get(), &info) != 0) return process;
    process.pid = pid;
    process.uid = info.st_uid;
    process.covered = info.st_dev != device_;
    if (process.covered) return process;
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
void ProcessTable::add_threads(const Process& process) const {
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
    const auto home = fmt::format("{}", pid);
    const auto text = read_file(proc(), (home + "/stat").c_str());
    if (!text) {
        const bool absent = errno == ESRCH || errno == ENOENT;
        if (absent && all_listed_ && is_gone(proc(), home)) facts.life = Life::gone;
        return facts;
    }
    struct stat info {};
    if (::fstatat(proc(), home.c_str(), &info, 0) == 0 && info.st_dev != device_) return facts;
    const auto stat = parse_stat(*text);
    if (!stat) return facts;
    // Its first thread may end before the others.
    const bool ended = (stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1;
    facts.life = ended ? Life::gone : Life::lives;
    facts.name = stat->name;
    facts.kernel = (stat->flags & kKernelThread) != 0;
    facts.started = stat->started;
    if (is_listed(pid)) return facts;
    // A thread has a directory too, which is not listed.
    const auto status = read_file(proc(), fmt::format("{}/status", pid).c_str());
    const auto process = numbers_of(status.value_or(""), "\nTgid:");
    if (!process.empty() && process.front() != pid) facts.process = process.front();
    return facts;
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
        if (!status && (errno == EACCES || errno == EPERM)) answer = Answer::not_told;
        const auto all = numbers_of(status.value_or(""), "\nNSpid:");
        for (std::size_t depth = 1; depth < all.size(); ++depth)
            numbers.emplace(all[depth], process.pid);
    }
    const auto found = numbers.find(pid);
    if (found == numbers.end()) return {.answer = answer};
    return {Answer::yes, found->second, name_of(found->second), false};
}

}  // namespace snakepit::shm::survey
