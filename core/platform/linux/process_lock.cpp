// SPDX-License-Identifier: MIT
#include "platform/process_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "base/time.h"
#include "platform/process.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

Handle open_file(const std::string& path, int flags) {
    return Handle(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
}

// flock, retried when a signal interrupts.
bool lock(const Handle& file, int operation) {
    while (::flock(file.get(), operation) != 0)
        if (errno != EINTR) return false;
    return true;
}

Result<bool> held_by_another(const Handle& file) {
    if (lock(file, LOCK_EX | LOCK_NB)) return false;
    if (errno == EWOULDBLOCK) return true;
    return fail(system_error(errno, "cannot test a lock"));
}

constexpr std::size_t kPidBytes = 32;

std::int64_t recorded_pid(const Handle& file) {
    std::array<char, kPidBytes + 1> text{};
    if (::pread(file.get(), text.data(), kPidBytes, 0) <= 0) return 0;
    return std::strtoll(text.data(), nullptr, 10);
}

// A process that was killed keeps its locks until the kernel has freed its memory.
bool lives(std::int64_t pid) {
    const auto process = watch_process(pid);
    if (!process || has_exited(*process)) return false;
    const auto info = inspect_process(*process, pid);
    return !info || !info->ending;
}

}  // namespace

Result<Handle> open_liveness_lock(const std::string& path) {
    auto file = open_file(path, O_RDWR);
    if (!file) return fail(system_error(errno, fmt::format("cannot open {}", path)));
    if (!lock(file, LOCK_SH | LOCK_NB))
        return fail(system_error(errno, fmt::format("cannot lock {}", path)));
    return file;
}

Result<bool> liveness_lock_held(const std::string& path) {
    const auto file = open_file(path, O_RDWR);
    if (!file) {
        if (errno == ENOENT) return false;
        return fail(system_error(errno, fmt::format("cannot open {}", path)));
    }
    return held_by_another(file);
}

Result<bool> liveness_lock_held(const Handle& file) {
    // A separate description, because locks belong to descriptions.
    const auto path = fmt::format("/proc/self/fd/{}", file.get());
    const Handle again(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!again) return fail(system_error(errno, "cannot reopen a lease page"));
    return held_by_another(again);
}

Result<ExclusiveLock> ExclusiveLock::acquire(const std::string& path, int patience_ms) {
    const auto file = open_file(path, O_RDWR | O_CREAT);
    if (!file) return fail(file_error(errno, fmt::format("cannot open {}", path), path));
    const auto give_up = monotonic_nanos() + std::int64_t{patience_ms} * 1'000'000;
    while (!lock(file, LOCK_EX | LOCK_NB)) {
        const auto holder = recorded_pid(file);
        if (monotonic_nanos() > give_up || (holder > 0 && lives(holder) && holder != ::getpid()))
            return fail(
                ErrorCode::instance_in_use,
                fmt::format("another manager, process {}, already serves this instance", holder),
                fmt::format("use it, stop it (kill {}), or choose another --instance", holder));
        ::usleep(2000);
    }
    std::array<char, kPidBytes> text{};
    std::strncpy(text.data(), fmt::format("{}\n", ::getpid()).c_str(), text.size() - 1);
    if (::pwrite(file.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
        return fail(file_error(errno, fmt::format("cannot write {}", path), path));
    ExclusiveLock held;
    SHM_ASSIGN(held.identity_, identity_of(file));
    SHM_ASSIGN(held.mapping_, Mapping::map(file, text.size(), Mapping::Access::read_only));
    return held;
}

bool lock_for_life(const Handle& file, int patience_ms) {
    const auto give_up = monotonic_nanos() + std::int64_t{patience_ms} * 1'000'000;
    while (!lock(file, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK || monotonic_nanos() > give_up) return errno != EWOULDBLOCK;
        ::usleep(2000);
    }
    return true;
}

}  // namespace snakepit::shm
