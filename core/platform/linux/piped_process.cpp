// SPDX-License-Identifier: MIT
#include "platform/piped_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "platform/linux/signal_numbers.h"
#include "platform/linux/spawn.h"
#include "platform/resource_error.h"

namespace snakepit::shm {

namespace {

constexpr int kEndLookMs = 50;
constexpr int kEndMs = 5000;  // between being asked to end and being killed

struct Pipe {
    Handle read, write;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail(system_error(errno, "cannot create a pipe"));
    return Pipe{Handle(ends[0]), Handle(ends[1])};
}

// The last of several with the same name is the one that holds.
std::vector<std::string> environment_with(const std::vector<std::string>& added) {
    std::vector<std::string> out;
    for (auto* const* variable = environ; *variable; ++variable) {
        const std::string_view text(*variable);
        const auto name = text.substr(0, text.find('=') + 1);
        if (std::none_of(added.begin(), added.end(),
                         [name](const auto& other) { return other.starts_with(name); }))
            out.emplace_back(text);
    }
    out.insert(out.end(), added.begin(), added.end());
    return out;
}

void do_not_block(const Handle& handle) {
    if (handle) ::fcntl(handle.get(), F_SETFL, O_NONBLOCK);
}

}  // namespace

Result<PipedProcess> PipedProcess::start(const std::vector<std::string>& given,
                                         const PipedOptions& options) {
    Pipe input;
    if (options.input) {
        SHM_ASSIGN(input, make_pipe());
    }
    SHM_ASSIGN(auto output, make_pipe());
    SHM_ASSIGN(auto errors, make_pipe());
    auto words = given;
    auto environment = environment_with(options.environment);
    auto arguments = pointers(words);
    auto variables = pointers(environment);
    const SpawnWays ways(input.read.valid() ? input.read.get() : -1, output.write.get(),
                         errors.write.get(), options.own_group,
                         options.own_group ? std::initializer_list<int>{}
                                           : std::initializer_list<int>{SIGINT, SIGQUIT});
    pid_t pid = 0;
    const int problem = ::posix_spawnp(&pid, words.front().c_str(), &ways.actions, &ways.attributes,
                                       arguments.data(), variables.data());
    if (problem == ENOENT || problem == EACCES) {
        auto error = system_error(problem, fmt::format("cannot start '{}'", words.front()),
                                  ErrorCode::platform_error);
        error.remedy = "check the name, PATH, and that you may execute it";
        return fail(std::move(error));
    }
    if (problem != 0)
        return fail(process_error(problem, fmt::format("cannot start '{}'", words.front())));
    PipedProcess out;
    out.pid_ = pid;
    out.own_group_ = options.own_group;
    out.process_ = Handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    out.input = std::move(input.write);
    out.output = std::move(output.read);
    out.errors = std::move(errors.read);
    for (const auto* handle : {&out.input, &out.output, &out.errors}) do_not_block(*handle);
    if (!out.process_) return fail(process_error(errno, "cannot watch a process"));
    return out;
}

PipedProcess::PipedProcess(PipedProcess&& other) noexcept
    : input(std::move(other.input)),
      output(std::move(other.output)),
      errors(std::move(other.errors)),
      pid_(std::exchange(other.pid_, 0)),
      own_group_(other.own_group_),
      process_(std::move(other.process_)),
      status_(other.status_) {}

std::optional<int> PipedProcess::status() {
    if (status_ || pid_ == 0) return status_;
    int status = 0;
    const auto got = ::waitpid(static_cast<pid_t>(pid_), &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return std::nullopt;
    constexpr int kSignalled = 128;
    status_ = WIFSIGNALED(status) ? kSignalled + WTERMSIG(status) : WEXITSTATUS(status);
    return status_;
}

void PipedProcess::signal(ProcessSignal signal) const {
    send(number_of(signal));
}

void PipedProcess::send(int number) const {
    if (pid_ == 0 || status_) return;
    const auto pid = static_cast<pid_t>(pid_);
    if (own_group_)
        ::kill(-pid, number);
    else
        ::kill(pid, number);
}

bool PipedProcess::wait(int timeout_ms) {
    if (!process_) {  // its end can only be looked for
        for (int waited = 0; !status() && (timeout_ms < 0 || waited < timeout_ms);
             waited += kEndLookMs)
            (void)::poll(nullptr, 0, kEndLookMs);
        return status().has_value();
    }
    pollfd ended{process_.get(), POLLIN, 0};
    if (!status()) (void)::poll(&ended, 1, timeout_ms);
    return status().has_value();
}

int PipedProcess::end(int grace_ms) {
    for (auto* handle : {&input, &output, &errors}) handle->reset();
    if (pid_ == 0) return 0;
    if (!wait(grace_ms)) {
        send(SIGTERM);
        // A stopped process does nothing before it goes on.
        send(SIGCONT);
        if (!wait(kEndMs)) {
            send(SIGKILL);
            while (!wait(-1)) {
            }
        }
    }
    pid_ = 0;
    return *status_;
}

}  // namespace snakepit::shm
