// SPDX-License-Identifier: MIT
#include "platform/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

Result<std::string> read_small(const std::string& path) {
    const Handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail(system_error(errno, fmt::format("cannot open {}", path)));
    std::array<char, 4096> buffer;
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) return fail(system_error(errno, fmt::format("cannot read {}", path)));
    return std::string(buffer.data(), static_cast<std::size_t>(got));
}

// The first version of this structure in <linux/pidfd.h>; Debian's header is older.
struct PidfdInfo {
    std::uint64_t mask, cgroup;
    std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid, spare;
};
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);
constexpr std::uint64_t kInfoPid = 1, kInfoIds = 2;

constexpr unsigned kExiting = 4;  // PF_EXITING of the kernel

struct StatLine {
    char state = 0;
    unsigned flags = 0;
    long threads = 0;
    unsigned long long start = 0;
    std::string name;
    bool exiting() const { return (flags & kExiting) != 0; }
    bool ended() const { return state == 'Z' || state == 'X'; }
};

// "pid (name) state ppid …": the name may hold anything, so parse from the last ')'.
std::optional<StatLine> read_stat(const std::string& directory) {
    const auto text = read_small(directory + "/stat");
    if (!text) return std::nullopt;
    const auto open = text->find('('), close = text->rfind(')');
    if (open == text->npos || close == text->npos) return std::nullopt;
    StatLine line;
    line.name = text->substr(open + 1, close - open - 1);
    // The kernel wrote these numbers: they fit.
    // NOLINTNEXTLINE(cert-err34-c)
    if (std::sscanf(text->c_str() + close + 1,
                    " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d "
                    "%llu",
                    &line.state, &line.flags, &line.threads, &line.start) != 4)
        return std::nullopt;
    return line;
}

// A line such as "Uid:\t0\t1000\t0\t0".
std::optional<std::vector<std::uint32_t>> numbers_of(const std::string& text,
                                                     std::string_view key) {
    const auto at = text.find(fmt::format("\n{}:", key));
    if (at == text.npos) return std::nullopt;
    std::istringstream line(text.substr(at + key.size() + 2, text.find('\n', at + 1) - at));
    std::vector<std::uint32_t> out;
    for (std::uint32_t number = 0; line >> number;) out.push_back(number);
    return out;
}

// SIGKILL was sent to it, or to its process, and it has not acted on it yet.
bool killed(const std::string& status) {
    for (const std::string_view key : {"\nSigPnd:", "\nShdPnd:"}) {
        const auto at = status.find(key);
        if (at == status.npos) continue;
        const auto pending = std::strtoull(status.c_str() + at + key.size(), nullptr, 16);
        if ((pending >> (SIGKILL - 1) & 1) != 0) return true;
    }
    return false;
}

// Its pid in /proc, which may be mounted from another pid namespace than ours. 0: not in /proc.
std::int64_t number_in_proc(const Handle& process) {
    const auto text = read_small(fmt::format("/proc/self/fdinfo/{}", process.get()));
    const auto at = text ? text->find("\nPid:") : std::string::npos;
    if (at == std::string::npos) return 0;
    return std::max<std::int64_t>(std::strtoll(text->c_str() + at + 5, nullptr, 10), 0);
}

std::string first_thread(const Handle& process) {
    const auto number = number_in_proc(process);
    return number > 0 ? fmt::format("/proc/{}", number) : std::string();
}

}  // namespace

Result<ProcessInfo> inspect_process(std::int64_t pid) {
    SHM_ASSIGN(const auto process, watch_process(pid));
    return inspect_process(process, pid);
}

Result<ProcessInfo> inspect_process(const Handle& process, std::int64_t pid) {
    const auto directory = first_thread(process);
    const auto line = directory.empty() ? std::nullopt : read_stat(directory);
    const auto status = read_small(directory + "/status");
    // While it is held and not reaped, no other process has its pid.
    if (!line || !status || first_thread(process) != directory) {
        if (has_exited(process) && number_in_proc(process) <= 0)
            return fail(ErrorCode::platform_error, fmt::format("process {} does not exist", pid));
        return fail(ErrorCode::permission_denied,
                    fmt::format("process {} is not shown in /proc", pid),
                    "mount /proc with hidepid=0, or with gid= set to a group of the service");
    }
    ProcessInfo info;
    info.pid = pid;
    info.start_time = static_cast<std::int64_t>(line->start);
    info.zombie = line->ended() && line->threads <= 1;
    info.ending = line->ended() || line->exiting() || killed(*status);
    info.name = line->name;
    const auto users = numbers_of(*status, "Uid"), groups = numbers_of(*status, "Gid");
    if (!users || !groups || users->size() < 2 || groups->size() < 2)
        return fail(ErrorCode::platform_error, fmt::format("cannot read {}/status", directory));
    info.uid = (*users)[1];
    info.gid = (*groups)[1];
    return info;
}

Result<Handle> watch_process(std::int64_t pid) {
    Handle handle(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
    if (handle) return handle;
    if (errno == ESRCH || pid <= 0)
        return fail(ErrorCode::platform_error, fmt::format("process {} does not exist", pid));
    return fail(system_error(errno, fmt::format("cannot watch process {}", pid)));
}

bool has_exited(const Handle& process) {
    pollfd exited{process.get(), POLLIN, 0};
    return ::poll(&exited, 1, 0) != 0;
}

std::uint64_t process_number(const Handle& process) {
    PidfdInfo info{};
    info.mask = kInfoPid;
    // ESRCH: a process outside our pid namespace. If the call is unknown, all process descriptors
    // may share one inode.
    if (::ioctl(process.get(), kPidfdGetInfo, &info) != 0 && errno != ESRCH) return 0;
    struct stat file {};
    return ::fstat(process.get(), &file) == 0 ? file.st_ino : 0;
}

std::optional<OtherIds> other_ids(const Handle& process) {
    PidfdInfo info{};
    info.mask = kInfoIds;
    if (::ioctl(process.get(), kPidfdGetInfo, &info) == 0 && (info.mask & kInfoIds) != 0)
        return OtherIds{info.ruid, info.suid, info.rgid, info.sgid};
    const auto directory = first_thread(process);
    const auto status = read_small(directory + "/status");
    const auto users = status ? numbers_of(*status, "Uid") : std::nullopt;
    const auto groups = status ? numbers_of(*status, "Gid") : std::nullopt;
    if (!users || !groups || users->size() < 3 || groups->size() < 3) return std::nullopt;
    return OtherIds{(*users)[0], (*users)[2], (*groups)[0], (*groups)[2]};
}

std::string process_directory(const Handle& process) {
    auto first = first_thread(process);
    return first.empty() ? first : directory_of_living_thread(std::move(first));
}

std::string directory_of_living_thread(std::string process) {
    const auto line = read_stat(process);
    if (!line || !line->ended() || line->threads <= 1) return process;
    std::error_code gone;
    for (std::filesystem::directory_iterator thread(process + "/task", gone), end;
         !gone && thread != end; thread.increment(gone))
        if (const auto other = read_stat(thread->path().string()); other && !other->ended())
            return thread->path().string();
    return process;
}

std::uint32_t current_thread() {
    return static_cast<std::uint32_t>(::syscall(SYS_gettid));
}

std::string own_executable() {
    std::array<char, 4096> path;
    const auto size = ::readlink("/proc/self/exe", path.data(), path.size());
    return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : std::string();
}

Result<std::string> boot_id() {
    SHM_ASSIGN(const auto text, read_small("/proc/sys/kernel/random/boot_id"));
    std::string bytes;
    int high = -1;
    for (char c : text) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
        } else {
            bytes += static_cast<char>(high << 4 | digit);
            high = -1;
        }
    }
    if (bytes.size() != 16)
        return fail(ErrorCode::platform_error, "cannot read the kernel's boot id");
    return bytes;
}

}  // namespace snakepit::shm
