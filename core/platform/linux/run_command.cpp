// SPDX-License-Identifier: MIT
#include "platform/run_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "base/handle.h"
#include "base/time.h"
#include "platform/linux/spawn.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

constexpr int kSliceMs = 100;  // interval of checking for cancellation
constexpr std::array kInherited{"PATH", "HOME",   "USER", "LOGNAME", "SHELL",
                                "LANG", "LC_ALL", "TZ",   "TMPDIR"};

// No variables of the service manager: its sockets and credentials are for us only.
std::vector<std::string> environment_of(const Command& command) {
    std::vector<std::string> out;
    for (const auto* name : kInherited)
        if (const auto* value = std::getenv(name)) out.push_back(fmt::format("{}={}", name, value));
    out.insert(out.end(), command.environment.begin(), command.environment.end());
    return out;
}

Result<pid_t> start(const Command& command, int input) {
    auto words = command.words;
    auto environment = environment_of(command);
    auto arguments = pointers(words);
    auto variables = pointers(environment);
    const SpawnWays ways(input, -1, -1, true);
    pid_t pid = 0;
    const int problem = ::posix_spawn(&pid, words.front().c_str(), &ways.actions, &ways.attributes,
                                      arguments.data(), variables.data());
    if (problem != 0)
        return fail(process_error(problem, fmt::format("cannot start {}", words.front())));
    return pid;
}

// Writes its input and waits for its end. False: it must be killed.
bool attend(const Handle& process, Handle pipe, std::string_view input, std::int64_t until,
            const std::atomic<bool>& cancelled) {
    while (!cancelled.load(std::memory_order_relaxed)) {
        const auto left = (until - monotonic_nanos()) / 1'000'000;
        if (left <= 0) return false;
        pollfd watched[] = {{process.get(), POLLIN, 0}, {pipe ? pipe.get() : -1, POLLOUT, 0}};
        const int ready =
            ::poll(watched, 2, static_cast<int>(std::min<std::int64_t>(left, kSliceMs)));
        if (ready <= 0) continue;
        if (watched[0].revents != 0) return true;
        const auto written = ::write(pipe.get(), input.data(), input.size());
        if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
        // It may ignore its input.
        if (input.empty() || (written < 0 && errno != EAGAIN && errno != EINTR)) pipe = {};
    }
    return false;
}

Status judge(const std::string& program, int status) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return fail(ErrorCode::platform_error,
                WIFEXITED(status)
                    ? fmt::format("{} ended with status {}", program, WEXITSTATUS(status))
                    : fmt::format("{} was ended by signal {}", program, WTERMSIG(status)),
                "run it by hand with the same input");
}

}  // namespace

Status run_command(const Command& command, const std::atomic<bool>& cancelled) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(system_error(errno, "cannot create a pipe"));
    Handle theirs(ends[0]), ours(ends[1]);
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    SHM_ASSIGN(const pid_t pid, start(command, theirs.get()));
    theirs = {};
    const auto until = monotonic_nanos() + std::int64_t{command.timeout_ms} * 1'000'000;
    const Handle process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const bool ended = process && attend(process, std::move(ours), command.input, until, cancelled);
    if (!ended) {
        ::kill(-pid, SIGKILL);
        ::kill(pid, SIGKILL);  // it may have joined another group
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (ended) return judge(command.words.front(), status);
    return fail(ErrorCode::timeout,
                fmt::format("{} timed out after {} ms and was killed", command.words.front(),
                            command.timeout_ms),
                "make it faster, or let it continue in the background");
}

}  // namespace snakepit::shm
