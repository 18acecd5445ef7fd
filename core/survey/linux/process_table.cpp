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

constexpr std::size_t kMostThreads = 4096;           // checked for namespaces of their own
constexpr int kMostPasses = 3;                       // over the list of processes
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

// With one of these a process uses segments of other users, or becomes another user
// (include/uapi/linux/capability.h).
constexpr std::uint64_t kIgnoresModes = 1ULL << 1 | 1ULL << 2 | 1ULL << 7 | 1ULL << 15;
// CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SETUID, CAP_IPC_OWNER

// A line like "\nCapPrm:\t000001ffffffffff"; what is permitted can be made effective at any time.
bool ignores_modes(std::string_view status) {
    constexpr std::string_view kKey = "\nCapPrm:\t";
    const auto line = status.find(kKey);
    if (line == status.npos) return false;
    status.remove_prefix(line + kKey.size());
    std::uint64_t set = 0;
    std::from_chars(status.data(), status.data() + status.find('\n'), set, 16);
    return (set & kIgnoresModes) != 0;
}

constexpr std::int64_t kAllIds = 0xFFFFFFFF;

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

bool has_the_same_ids(std::string_view map) {
    const auto inside = take_number(map), outside = take_number(map), count = take_number(map);
    return inside == 0 && outside == 0 && count == kAllIds;
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
    struct stat info {};
    if (::fstat(table.proc(), &info) == 0) table.device_ = info.st_dev;
    table.own_pid_ns_ = namespace_of(table.proc(), "self/ns/pid");
    table.own_user_ns_ = namespace_of(table.proc(), "self/ns/user");
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
    if (is_listed(pid)) return facts;
    // A thread has a directory too, which is not listed.
    const auto status = read_file(proc(), fmt::format("{}/status", pid).c_str());
    const auto process = numbers_of(status.value_or(""), "\nTgid:");
    if (!process.empty() && process.front() != pid) facts.process = process.front();
    return facts;
}

// Empty if they cannot be read. One that ended meanwhile has no ids.
const std::optional<Credentials>& ProcessTable::credentials_of(const Process& process) const {
    // Threads have numbers that no process has.
    auto [known, fresh] =
        credentials_.try_emplace(process.thread == 0 ? process.pid : process.thread);
    if (!fresh || process.covered) return known->second;
    Credentials out;
    if (add_credentials(process, home_of(process), out) &&
        (!process.has_threads || process.thread != 0 || add_credentials_of_threads(process, out)))
        known->second = std::move(out);
    return known->second;
}

bool ProcessTable::add_credentials(const Process& process, const std::string& home,
                                   Credentials& out) const {
    const auto status = read_file(proc(), (home + "/status").c_str());
    if (!status) return !refused() && is_gone(proc(), home);
    const auto add = [&status](std::vector<std::uint32_t>& all, std::string_view key) {
        for (const auto number : numbers_of(*status, key))
            if (std::find(all.begin(), all.end(), number) == all.end()) all.push_back(number);
    };
    add(out.users, "\nUid:");
    add(out.groups, "\nGid:");
    add(out.groups, "\nGroups:");
    if (out.ignores_modes || !ignores_modes(*status)) return true;
    out.ignores_modes = true;
    const auto users = namespace_of(proc(), (home_of(process) + "/ns/user").c_str());
    if (users == own_user_ns_) return true;
    out.user_map = read_file(proc(), (home_of(process) + "/uid_map").c_str());
    return out.user_map.has_value();
}

// A thread may act for another user or group than its process.
bool ProcessTable::add_credentials_of_threads(const Process& process, Credentials& out) const {
    const auto tasks = fmt::format("{}/task", process.pid);
    const auto directory = open_directory(proc(), tasks.c_str());
    if (!directory) return is_gone(proc(), home_of(process));
    while (const auto* entry = ::readdir(directory.get())) {
        const auto number = pid_of(entry->d_name);
        if (number <= 0 || number == process.pid) continue;
        if (++threads_asked_ > kMostThreads) return false;
        if (!add_credentials(process, fmt::format("{}/{}", tasks, number), out)) return false;
    }
    return true;
}

// An administrator of the system may use everything, and does not count. Others with his privileges
// do, and those of a user namespace that has the owner.
Answer ProcessTable::is_let_in(const Process& process, const Access& access) const {
    if (process.covered) return Answer::not_told;
    const std::vector<std::uint32_t> shown{process.uid};
    if (access.everybody || overlap(access.users, shown)) return Answer::yes;
    const auto& who = credentials_of(process);
    if (!who) return Answer::not_told;
    if (overlap(access.users, who->users) || overlap(access.groups, who->groups))
        return Answer::yes;
    if (!who->ignores_modes) return Answer::no;
    if (who->user_map && !has_the_same_ids(*who->user_map)) {
        const auto& map = *who->user_map;
        return std::any_of(access.users.begin(), access.users.end(),
                           [&map](std::uint32_t uid) { return covers(map, uid); })
                   ? Answer::not_told
                   : Answer::no;
    }
    const std::vector<std::uint32_t> root{0};
    return overlap(who->users, root) ? Answer::no : Answer::not_told;
}

Answer ProcessTable::nobody() const {
    return all_listed_ && settled_ && !threads_left_out_ ? Answer::no : Answer::not_told;
}

Found ProcessTable::anyone(const Access& access) const {
    auto [known, fresh] = let_in_.try_emplace(access);
    if (!fresh) return known->second;
    for (int pass = 0; pass < kMostPasses; ++pass) {
        bool ended = false;
        known->second = look_for(access, ended);
        if (known->second.answer != Answer::no || !ended) return known->second;
        settled_ = settle();
    }
    known->second.answer = Answer::not_told;
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
    if (!fresh) return known->second;
    for (int pass = 0; pass < kMostPasses; ++pass) {
        bool ended = false;
        known->second = look_for_software(uid, software, ended);
        if (known->second.answer != Answer::no || !ended) return known->second;
        settled_ = settle();
    }
    known->second.answer = Answer::not_told;
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
