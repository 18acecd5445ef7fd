// SPDX-License-Identifier: MIT
#include "survey/linux/tree/group_probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

// The kernel signals the members of a group one after another, within microseconds.
constexpr int kSettleMs = 2, kPatienceMs = 1'000;
constexpr int kLine = 3;  // the only descriptor of the process

[[noreturn]] void wait_there(int line) {
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    if (line != kLine) ::dup2(line, kLine);
    ::close_range(0, kLine - 1, 0);
    ::close_range(kLine + 1, ~0U, 0);
    const timespec at_once{};
    for (char word = 0; ::recv(kLine, &word, 1, 0) == 1;) {
        while (::sigtimedwait(&all, nullptr, &at_once) > 0) {
        }
        (void)::send(kLine, &word, 1, MSG_NOSIGNAL);
    }
    ::_exit(0);
}

}  // namespace

Result<GroupProbe> GroupProbe::start() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(system_error(errno, "cannot make a socket pair"));
    const Handle theirs(ends[0]);
    GroupProbe probe;
    probe.line_ = Handle(ends[1]);
    const auto pid = ::fork();
    if (pid < 0) return fail(system_error(errno, "cannot start a process"));
    if (pid == 0) wait_there(theirs.get());
    probe.pid_ = pid;
    return probe;
}

GroupProbe::GroupProbe(GroupProbe&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), line_(std::move(other.line_)) {}

GroupProbe::~GroupProbe() {
    if (pid_ == 0) return;
    line_.reset();
    ::kill(static_cast<pid_t>(pid_), SIGKILL);
    while (::waitpid(static_cast<pid_t>(pid_), nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool GroupProbe::has(int signal) {
    (void)::poll(nullptr, 0, kSettleMs);
    constexpr std::string_view kPending = "\nShdPnd:";
    const auto status =
        read_file(AT_FDCWD, fmt::format("/proc/{}/status", pid_).c_str()).value_or("");
    const auto at = status.find(kPending);
    const auto pending =
        at == status.npos ? 0 : std::strtoull(status.c_str() + at + kPending.size(), nullptr, 16);
    char word = 0;
    pollfd answer{line_.get(), POLLIN, 0};
    if (::send(line_.get(), &word, 1, MSG_NOSIGNAL) == 1 && ::poll(&answer, 1, kPatienceMs) == 1)
        (void)::recv(line_.get(), &word, 1, 0);
    return (pending >> (signal - 1) & 1) != 0;
}

}  // namespace snakepit::shm::survey
