// SPDX-License-Identifier: MIT
// Compiled and linked for macOS, never executed there.
#include "platform/process.h"

#include <libproc.h>
#include <mach-o/dyld.h>
#include <poll.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>

#include <fmt/format.h>

#include "platform/channel.h"

namespace snakepit::shm {

namespace {

tl::unexpected<Error> no_process(std::int64_t pid) {
    return fail(ErrorCode::platform_error, fmt::format("process {} does not exist", pid));
}

}  // namespace

Result<ProcessInfo> inspect_process(std::int64_t pid) {
    proc_bsdinfo facts{};
    if (::proc_pidinfo(static_cast<int>(pid), PROC_PIDTBSDINFO, 0, &facts, sizeof facts) !=
        static_cast<int>(sizeof facts)) {
        if (errno == ESRCH) return no_process(pid);
        return fail(system_error(errno, fmt::format("cannot inspect process {}", pid)));
    }
    ProcessInfo info;
    info.pid = pid;
    info.start_time = static_cast<std::int64_t>(facts.pbi_start_tvsec) * 1'000'000 +
                      static_cast<std::int64_t>(facts.pbi_start_tvusec);
    info.uid = facts.pbi_uid;
    info.gid = facts.pbi_gid;
    constexpr std::uint32_t kZombie = 5;  // SZOMB of <sys/proc.h>
    info.zombie = info.ending = facts.pbi_status == kZombie;
    info.name = facts.pbi_comm;
    return info;
}

// A queue with one event, the end of the process (NOTE_EXIT): it is readable when the event has
// come.
Result<Handle> watch_process(std::int64_t pid) {
    Handle queue(::kqueue());
    if (!queue) return fail(system_error(errno, "cannot make an event queue"));
    struct kevent event {};
    EV_SET(&event, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
    if (::kevent(queue.get(), &event, 1, nullptr, 0, nullptr) == 0) return queue;
    if (errno == ESRCH) return no_process(pid);
    return fail(system_error(errno, fmt::format("cannot watch process {}", pid)));
}

// Does not take the event out of the queue.
bool has_exited(const Handle& process) {
    pollfd exited{process.get(), POLLIN, 0};
    return ::poll(&exited, 1, 0) != 0;
}

std::string own_executable() {
    std::array<char, PATH_MAX> path;
    std::uint32_t size = path.size();
    return ::_NSGetExecutablePath(path.data(), &size) == 0 ? std::string(path.data())
                                                           : std::string();
}

Result<Credentials> peer_of(const Handle& socket) {
    uid_t uid = 0;
    gid_t gid = 0;
    pid_t pid = 0;
    socklen_t size = sizeof pid;
    if (::getpeereid(socket.get(), &uid, &gid) != 0 ||
        ::getsockopt(socket.get(), SOL_LOCAL, LOCAL_PEERPID, &pid, &size) != 0)
        return fail(system_error(errno, "cannot identify the connected process"));
    return Credentials{pid, uid, gid};
}

}  // namespace snakepit::shm
