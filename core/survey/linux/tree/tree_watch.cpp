// SPDX-License-Identifier: MIT
#include "survey/linux/tree/tree_watch.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

// Polling intervals: the first with activity, the second when idle.
constexpr std::int64_t kShortestMs = 20, kLongestMs = 200;
constexpr std::int64_t kReportedMs = 250;     // if the kernel reports the facts
constexpr std::int64_t kEverybodyMs = 1'000;  // until all are polled in any case
constexpr int kMostDeep = 16;
constexpr std::size_t kMostWatchedDirectories = 1'024;
constexpr std::size_t kMostFiles = 250'000;  // then the creators of further ones are unknown

// The files in a directory and all below it, by inode.
void list_inodes(int at, const char* path, int depth, std::unordered_set<std::uint64_t>& out) {
    const auto directory = open_directory(at, path);
    if (!directory || depth > kMostDeep) return;
    while (const auto* entry = ::readdir(directory.get())) {
        const std::string_view name(entry->d_name);
        if (name == "." || name == "..") continue;
        out.insert(entry->d_ino);
        if (entry->d_type == DT_DIR)
            list_inodes(::dirfd(directory.get()), entry->d_name, depth + 1, out);
    }
}

// Times of files are those of a clock that advances in steps of some milliseconds.
void wait_until_files_are_newer_than(Timestamp time) {
    constexpr std::int64_t kMicros = 1'000'000, kNanos = 1'000;
    constexpr int kMostSteps = 100;  // a clock that is set back is not waited for
    for (int step = 0; step < kMostSteps; ++step) {
        timespec of_files{};
        if (::clock_gettime(CLOCK_REALTIME_COARSE, &of_files) != 0 ||
            of_files.tv_sec * kMicros + of_files.tv_nsec / kNanos > time.micros)
            return;
        (void)::poll(nullptr, 0, 1);
    }
}

std::string program_of(std::int64_t pid) {
    if (pid <= 0) return {};
    auto name = read_file(AT_FDCWD, fmt::format("/proc/{}/comm", pid).c_str()).value_or("");
    if (name.ends_with('\n')) name.pop_back();
    return name;
}

struct TableRow {
    std::int64_t id = 0, creator = 0, last_user = 0;
    bool was_attached = false;
};

// key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime …
std::vector<TableRow> read_system_v() {
    std::vector<TableRow> out;
    const auto text = read_file(AT_FDCWD, "/proc/sysvipc/shm").value_or("");
    std::string_view rest(text);
    while (rest.find('\n') != rest.npos) {
        rest.remove_prefix(rest.find('\n') + 1);
        auto line = rest.substr(0, rest.find('\n'));
        if (line.empty()) continue;
        std::array<std::int64_t, 12> fields{};
        for (auto& field : fields) field = take_number(line);
        out.push_back({fields[1], fields[4], fields[5], fields[11] > 0});
    }
    return out;
}

std::uint64_t device_of_memfds() {
    const Handle file(::memfd_create("run", MFD_CLOEXEC));
    struct stat info {};
    return file && ::fstat(file.get(), &info) == 0 ? info.st_dev : 0;
}

}  // namespace

bool is_running(std::int64_t pid) {
    return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM;
}

Result<TreeWatch> TreeWatch::begin(std::int64_t pid, std::int64_t other_child, const Handle& shm,
                                   bool own_table) {
    TreeWatch watch(pid, other_child, own_table);
    struct stat info {};
    if (::fstat(shm.get(), &info) != 0) return fail(system_error(errno, "cannot access /dev/shm"));
    watch.device_ = info.st_dev;
    watch.memfd_device_ = device_of_memfds();
    watch.ipc_ns_ = namespace_of(AT_FDCWD, "/proc/self/ns/ipc");
    if (auto records = KernelRecords::open(pid)) watch.records_ = std::move(*records);
    // For a directory that is not a mount point, the whole surrounding file system would be
    // reported.
    struct stat above {};
    if (::fstatat(shm.get(), "..", &above, 0) == 0 && above.st_dev != info.st_dev)
        if (auto opens = OpenEvents::watch(shm)) watch.opens_ = std::move(*opens);
    watch.directory_events_ = Handle(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (watch.directory_events_ && !watch.opens_)
        watch.watch_directory(fmt::format("/proc/self/fd/{}", shm.get()), 0);
    // From here on new files are reported; listed files existed before.
    SHM_TRY(watch.look_before(shm));
    watch.began_ = now();
    wait_until_files_are_newer_than(watch.began_);
    return watch;
}

Status TreeWatch::look_before(const Handle& shm) {
    list_inodes(shm.get(), ".", 0, files_before_);
    if (own_table_)
        for (const auto& row : read_system_v()) table_before_.insert(row.id);
    return {};
}

void TreeWatch::watch_directory(const std::string& path, int depth) {
    if (directories_.size() >= kMostWatchedDirectories || depth > kMostDeep) return;
    const int number =
        ::inotify_add_watch(directory_events_.get(), path.c_str(),
                            IN_OPEN | IN_CLOSE | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    if (number < 0) return;
    directories_[number] = path;
    const Handle directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto entries = directory ? open_directory(directory.get(), ".") : nullptr;
    if (!entries) return;
    while (const auto* entry = ::readdir(entries.get()))
        if (entry->d_type == DT_DIR && std::strcmp(entry->d_name, ".") != 0 &&
            std::strcmp(entry->d_name, "..") != 0)
            watch_directory(path + "/" + entry->d_name, depth + 1);
}

std::vector<int> TreeWatch::descriptors() {
    auto out = records_ && !records_quiet_ ? records_->descriptors() : std::vector<int>();
    // A burst of opens is read when the budget permits it.
    if (budget_.wait_ms() > 0) return out;
    if (opens_) out.push_back(opens_->descriptor());
    if (!opens_ && !opened_meanwhile_ && directory_events_) out.push_back(directory_events_.get());
    return out;
}

int TreeWatch::timeout_ms() {
    const auto until = opened_meanwhile_ ? 0 : std::max<std::int64_t>(next_look_ms_ - now_ms(), 0);
    return static_cast<int>(std::max(until, budget_.wait_ms()));
}

void TreeWatch::wake() {
    if (records_) records_->drain(*this);
    if (budget_.wait_ms() > 0) return;
    if (opens_) read_opens();
    if (!opens_ && read_directory_events()) opened_meanwhile_ = true;
    if (now_ms() >= next_look_ms_ || opened_meanwhile_) look(opened_meanwhile_);
}

void TreeWatch::finish() {
    if (opens_) read_opens();
    (void)read_directory_events();
    if (records_) records_->drain(*this);
    look(true);
}

void TreeWatch::on_mapped(std::int64_t pid, std::uint64_t device, std::uint64_t inode) {
    if (device != device_ || was_there(inode)) return;
    const auto member = members_.reported_at(pid);
    see(files_, inode, member, TreeUse::mapped);
    files_[inode].mapped_by.insert(member);
}

void TreeWatch::read_opens() {
    const auto events = opens_->drain();
    if (events.empty()) return;
    // A process was started before it opened something, so its start is already reported.
    if (records_) records_->drain(*this);
    for (const auto& event : events) {
        if (event.inode == 0 || files_before_.contains(event.inode) || event.pid == ::getpid())
            continue;
        const auto member = members_.find(event.pid);
        if (member == 0 && !is_outsider(event.pid)) continue;
        // Too many to remember: those are not known as created by the tree, and stay.
        if (member == 0 && files_.size() >= kMostFiles && !files_.contains(event.inode)) continue;
        auto& facts = files_[event.inode];
        const bool first_name = event.named && !std::exchange(facts.created, true);
        if (member != 0) {
            // Another process may have had it before it got its name.
            const bool created = first_name && !facts.used_by_other;
            see(files_, event.inode, member, created ? TreeUse::created : TreeUse::opened);
        } else if (first_name) {
            facts.made_by_other = true;
            facts.maker = {event.pid, program_of(event.pid)};
        } else {
            note_use(facts, event.pid);
        }
    }
}

// False: it may be a process of the tree that was not seen.
bool TreeWatch::is_outsider(std::int64_t pid) const {
    return knows_members() || pid <= 0 || is_running(pid);
}

void TreeWatch::note_use(SegmentFacts& facts, std::int64_t pid) {
    if (std::exchange(facts.used_by_other, true)) return;
    facts.user = {pid, program_of(pid)};
}

bool TreeWatch::is_too_deep(std::string_view name) {
    if (name.starts_with("./")) name.remove_prefix(2);
    return std::count(name.begin(), name.end(), '/') > kMostDeep;
}

// True: an open was reported.
bool TreeWatch::read_directory_events() {
    bool opened = false;
    alignas(inotify_event) std::array<char, 16 << 10> buffer;
    for (;;) {
        const auto got = ::read(directory_events_.get(), buffer.data(), buffer.size());
        if (got <= 0) return opened;
        for (ssize_t at = 0; at < got;) {
            inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            const auto* const name = buffer.data() + at + sizeof event;
            at += static_cast<ssize_t>(sizeof event + event.len);
            opened = opened || (event.mask & (IN_ISDIR | IN_CLOSE)) == 0;
            opens_lost_ = opens_lost_ || (event.mask & IN_Q_OVERFLOW) != 0;
            const auto directory = directories_.find(event.wd);
            if ((event.mask & IN_ISDIR) == 0 && directory != directories_.end() && event.len > 0)
                count_use(directory->second + "/" + name, event.mask);
            if ((event.mask & IN_ISDIR) != 0 && (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0 &&
                directory != directories_.end() && event.len > 0) {
                watch_directory(directory->second + "/" + name, 1);
                opened = true;
            }
        }
    }
}

void TreeWatch::count_use(const std::string& path, std::uint32_t what) {
    struct stat info {};
    if ((what & (IN_OPEN | IN_CLOSE)) == 0 || ::lstat(path.c_str(), &info) != 0 ||
        was_there(info.st_ino))
        return;
    if (files_.size() >= kMostFiles && !files_.contains(info.st_ino)) {
        opens_lost_ = true;
        return;
    }
    auto& facts = files_[info.st_ino];
    ++((what & IN_OPEN) != 0 ? facts.opens : facts.closes);
}

// A process that inherits a file maps it without opening it, so without the kernel's records this
// is an estimate.
bool TreeWatch::may_have_other_users(const SegmentFacts& facts) const {
    if (opens_) return facts.used_by_other;
    const auto known = knows_members() ? facts.mapped_by.size() : facts.members.size();
    return opens_lost_ || std::max(facts.opens, facts.closes) > known;
}

void TreeWatch::look(bool everybody) {
    const auto fresh = members_.walk();
    if (records_) records_->drain(*this);
    if (records_ && (records_lost_ || members_.any_unreported())) records_ended();
    if (own_table_) read_table();
    everybody = everybody || (!exact() && now_ms() - all_seen_ms_ >= kEverybodyMs);
    if (everybody) {
        std::vector<std::int64_t> all;
        for (const auto number : members_.living()) all.push_back(members_.member(number).pid);
        look_at(all);
        all_seen_ms_ = now_ms();
    } else if (!exact()) {
        look_at(fresh);
    }
    const bool busy = opened_meanwhile_ || !fresh.empty();
    opened_meanwhile_ = false;
    interval_ms_ = exact() ? kReportedMs
                   : busy  ? kShortestMs
                           : std::clamp(interval_ms_ + interval_ms_ / 4, kShortestMs, kLongestMs);
    next_look_ms_ = now_ms() + interval_ms_;
}

void TreeWatch::records_ended() {
    records_lost_ = true;
    records_.reset();
}

void TreeWatch::look_at(const std::vector<std::int64_t>& pids) {
    if (pids.empty()) return;
    const Handle proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::vector<Process> processes;
    for (const auto pid : pids)
        processes.push_back(
            {.pid = pid,
             .ipc_ns = namespace_of(proc.get(), fmt::format("{}/ns/ipc", pid).c_str()),
             .has_threads = Members::has_threads(pid)});
    unreadable_ += look_at_processes(
        proc.get(), processes,
        {.devices = {device_}, .memfd_devices = {memfd_device_}, .quick = true},
        [this](const Process& process, const Sighting& seen) {
            const auto member = members_.at(process.pid);
            if (member == 0) return;
            if (seen.what == Sighting::What::system_v) {
                if (own_table_ && process.ipc_ns == ipc_ns_)
                    see(table_, seen.inode, member, TreeUse::attached);
            } else if (seen.device == device_) {
                see(files_, seen.inode, member, seen.maps ? TreeUse::mapped : TreeUse::opened);
            }
        });
}

void TreeWatch::see(std::unordered_map<std::uint64_t, SegmentFacts>& where, std::uint64_t segment,
                    std::uint64_t member, TreeUse use) {
    if (&where == &files_ && was_there(segment)) return;
    auto [known, fresh] = where[segment].members.try_emplace(member, use);
    known->second = std::max(known->second, use);
    if (!fresh) return;
    members_.member(member).used_segments = true;
    members_.refresh(member);
}

// A member's pid in the table can belong to another process only after all pids were used once; the
// table is read before that.
void TreeWatch::read_table() {
    const auto rows = read_system_v();
    // The processes in it were started before, so their starts are reported.
    if (records_) records_->drain(*this);
    for (const auto& row : rows) {
        if (table_before_.contains(row.id)) continue;
        const auto id = static_cast<std::uint64_t>(row.id);
        auto& facts = table_[id];
        // Asked once: later its pid may be another process's.
        if (!std::exchange(facts.created, true)) {
            if (const auto creator = members_.find(row.creator); creator != 0) {
                see(table_, id, creator, TreeUse::created);
            } else if (own_table_ && knows_members()) {
                facts.made_by_other = true;
                facts.maker = {row.creator, program_of(row.creator)};
            }
        }
        if (!row.was_attached || std::exchange(facts.last_user, row.last_user) == row.last_user)
            continue;
        if (const auto user = members_.find(row.last_user); user != 0)
            see(table_, id, user, TreeUse::attached);
        else if (own_table_)
            note_use(facts, row.last_user);
    }
}

const SegmentFacts* TreeWatch::of_file(std::uint64_t inode) const {
    const auto found = files_.find(inode);
    return found == files_.end() ? nullptr : &found->second;
}

const SegmentFacts* TreeWatch::of_table(std::int64_t id) const {
    const auto found = table_.find(static_cast<std::uint64_t>(id));
    return found == table_.end() ? nullptr : &found->second;
}

Attribution TreeWatch::attribution() const {
    if (!own_table_) return Attribution::isolated;
    if (!records_) return Attribution::looks;
    return opens_ ? Attribution::exact : Attribution::mappings;
}

std::vector<std::string> TreeWatch::notes() const {
    std::vector<std::string> out;
    if (attribution() == Attribution::mappings)
        out.emplace_back(
            "without root this list is an estimate: the kernel does not report who creates or "
            "opens "
            "a segment, so uses without a mapping can be missed; --isolate misses nothing");
    if (attribution() == Attribution::looks)
        out.emplace_back(
            "this list is an estimate: processes that lived only a few milliseconds can be missed; "
            "--isolate misses nothing");
    if (records_lost_)
        out.emplace_back(
            "the kernel's records of the processes were incomplete (a program with more rights was "
            "executed, or there were too many): processes that lived only milliseconds may be "
            "missing");
    if (!records_ && !Members::can_walk())
        out.emplace_back(
            "this system does not list a process's children: only the command's first process was "
            "followed");
    if (unreadable_ > 0 && !exact())
        out.push_back(fmt::format(
            "{} of the command's processes {} denied: the segments of a process of "
            "another user or with more rights are not known",
            pluralize(unreadable_, "access", "accesses"), unreadable_ == 1 ? "was" : "were"));
    return out;
}

}  // namespace snakepit::shm::survey
