// SPDX-License-Identifier: MIT
#include "platform/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
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

}  // namespace

Result<ProcessInfo> inspect_process(std::int64_t pid) {
    const auto path = fmt::format("/proc/{}/stat", pid);
    const Handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat owner {};
    std::array<char, 1024> text{};
    if (!file || ::fstat(file.get(), &owner) != 0 ||
        ::read(file.get(), text.data(), text.size() - 1) <= 0)
        return fail(ErrorCode::platform_error, fmt::format("there is no process {}", pid));
    // "pid (name) state ppid …": the name may hold anything, so parse from the last ')'.
    const std::string_view line(text.data());
    const auto open = line.find('(');
    const auto close = line.rfind(')');
    ProcessInfo info;
    char state = 0;
    unsigned long long start = 0;
    if (open == std::string_view::npos || close == std::string_view::npos ||
        // The kernel wrote these numbers: they fit.
        // NOLINTNEXTLINE(cert-err34-c)
        std::sscanf(
            text.data() + close + 1,
            " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
            &state, &start) != 2)
        return fail(ErrorCode::platform_error, fmt::format("cannot read {}", path));
    info.pid = pid;
    info.start_time = static_cast<std::int64_t>(start);
    info.uid = owner.st_uid;
    info.gid = owner.st_gid;
    info.zombie = state == 'Z' || state == 'X';
    info.name = std::string(line.substr(open + 1, close - open - 1));
    return info;
}

Result<Handle> watch_process(std::int64_t pid) {
    Handle handle(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
    if (!handle) return fail(system_error(errno, fmt::format("cannot watch process {}", pid)));
    return handle;
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
        return fail(ErrorCode::platform_error, "the kernel's boot id is not readable");
    return bytes;
}

}  // namespace snakepit::shm
