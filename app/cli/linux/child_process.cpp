// SPDX-License-Identifier: MIT
#include "child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/time.h"
#include "platform/process.h"
#include "platform/resource_error.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kEndMillis = 1000;  // between the end of a process's output and its own

[[noreturn]] void become(const char* program, char* const* words, int output, pid_t parent) {
    // Ends with its parent, which may have ended before the call took effect.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);
    // Ctrl-C is for us, and we end our children in order.
    ::setpgid(0, 0);
    ::dup2(output, STDOUT_FILENO);
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::execv(program, words);
    ::_exit(127);
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& words) {
    const auto executable = own_executable();  // under its name, which people see; before the fork
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(system_error(errno, "cannot make a pipe"));
    const Handle write_end(ends[1]);
    ChildProcess child;
    child.output_.reset(ends[0]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);

    std::string program = "snakepit-shm";
    auto copies = words;
    std::vector<char*> arguments{program.data()};
    for (auto& word : copies) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const auto parent = ::getpid();
    const auto pid = ::fork();
    if (pid < 0) return fail(process_error(errno, "cannot start a process"));
    if (pid == 0) become(executable.c_str(), arguments.data(), write_end.get(), parent);
    child.pid_ = pid;
    return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      status_(other.status_),
      output_(std::move(other.output_)),
      unread_(std::move(other.unread_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
    if (this == &other) return *this;
    stop();
    pid_ = std::exchange(other.pid_, 0);
    status_ = other.status_;
    output_ = std::move(other.output_);
    unread_ = std::move(other.unread_);
    return *this;
}

bool ChildProcess::read_some() {
    char buffer[4096];
    errno = 0;  // so that the end of the output is not taken for "nothing yet"
    const auto size = ::read(output_.get(), buffer, sizeof buffer);
    if (size > 0) unread_.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
}

std::vector<std::string> ChildProcess::lines() {
    while (read_some()) {
    }
    std::vector<std::string> out;
    std::size_t start = 0;
    for (auto end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n', start)) {
        out.push_back(unread_.substr(start, end - start));
        start = end + 1;
    }
    unread_.erase(0, start);
    return out;
}

Result<std::string> ChildProcess::wait_line(int timeout_ms) {
    const auto deadline = monotonic_nanos() + std::int64_t{timeout_ms} * 1'000'000;
    for (;;) {
        if (const auto end = unread_.find('\n'); end != std::string::npos) {
            auto line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return line;
        }
        const auto left = (deadline - monotonic_nanos()) / 1'000'000;
        pollfd readable{output_.get(), POLLIN, 0};
        if (left <= 0 || ::poll(&readable, 1, static_cast<int>(left)) == 0)
            return fail(ErrorCode::timeout, "no output from the started process");
        if (!read_some() && errno != EAGAIN && errno != EINTR) return fail(ended_early());
    }
}

bool ChildProcess::running() {
    if (pid_ != 0 && ::waitpid(static_cast<pid_t>(pid_), &status_, WNOHANG) == pid_) pid_ = 0;
    return pid_ != 0;
}

std::string ChildProcess::how_it_ended() const {
    if (WIFSIGNALED(status_))
        return fmt::format("was ended by signal {} ({})", WTERMSIG(status_),
                           ::strsignal(WTERMSIG(status_)));
    return fmt::format("exited with status {}", WEXITSTATUS(status_));
}

// Its output ended: it is about to end, or has.
Error ChildProcess::ended_early() {
    for (int i = 0; i < kEndMillis && running(); ++i) ::poll(nullptr, 0, 1);
    return make_error(
        ErrorCode::platform_error,
        fmt::format("the started process {}", pid_ == 0 ? how_it_ended() : "closed its output"),
        "see its message above");
}

void ChildProcess::kill() {
    if (pid_ != 0) ::kill(static_cast<pid_t>(pid_), SIGKILL);
    reap();
}

void ChildProcess::stop() {
    if (pid_ != 0) ::kill(static_cast<pid_t>(pid_), SIGTERM);
    reap();
}

void ChildProcess::reap() {
    if (pid_ == 0) return;
    while (::waitpid(static_cast<pid_t>(pid_), &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
}

}  // namespace snakepit::shm::cli
