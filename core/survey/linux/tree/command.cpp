// SPDX-License-Identifier: MIT
#include "survey/linux/tree/command.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "survey/linux/tree/own_namespaces.h"

namespace snakepit::shm::survey {

namespace {

constexpr int kCannotExecute = 126, kNotFound = 127;

// Faults are ours when we make them; stopping and going on is done with the whole process group.
sigset_t passed_signals() {
    sigset_t out;
    ::sigfillset(&out);
    for (const int own : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGTSTP,
                          SIGTTIN, SIGTTOU, SIGCONT, SIGPIPE, SIGXFSZ})
        ::sigdelset(&out, own);
    return out;
}

bool send(const Handle& gate, const GateMessage& message) {
    return ::send(gate.get(), &message, sizeof message, MSG_NOSIGNAL) == sizeof message;
}

// False: the other side has gone.
bool receive(const Handle& gate, GateMessage& message) {
    for (;;) {
        const auto got = ::recv(gate.get(), &message, sizeof message, 0);
        if (got < 0 && errno == EINTR) continue;
        return got == sizeof message;
    }
}

// A directory in PATH that may not be looked into hides that there is no such program.
int why_not(const std::string& program, int error) {
    if (error != EACCES || program.find('/') != program.npos) return error;
    const auto* const path = std::getenv("PATH");
    std::string_view rest(path ? path : "");
    while (!rest.empty()) {
        const auto directory = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(directory.size() + 1, rest.size()));
        const auto file = fmt::format("{}/{}", directory.empty() ? "." : directory, program);
        if (::access(file.c_str(), F_OK) == 0) return error;
    }
    return ENOENT;
}

// In the new process.
class Beginning {
  public:
    Beginning(const TreeOptions& options, const Handle& gate) : options_(options), gate_(gate) {}

    [[noreturn]] void run(const sigset_t& mask, const struct sigaction& on_child) {
        if (options_.isolate) {
            do_step(GateMessage::Step::unshare, leave_namespaces);
            do_step(GateMessage::Step::mount, mount_own_shm);
        }
        do_step(GateMessage::Step::ready, [] { return 0; });
        for (const int signal : options_.restore_signals) ::signal(signal, SIG_DFL);
        ::sigaction(SIGCHLD, &on_child, nullptr);
        ::sigprocmask(SIG_SETMASK, &mask, nullptr);
        auto words = options_.command;
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        ::execvp(arguments.front(), arguments.data());
        const int error = why_not(options_.command.front(), errno);
        (void)send(gate_, {GateMessage::Step::execute, error});
        ::_exit(error == ENOENT ? kNotFound : kCannotExecute);
    }

  private:
    template <typename Work>
    void do_step(GateMessage::Step step, Work work) {
        GateMessage answer;
        const int error = work();
        if (!send(gate_, {step, error}) || error != 0 || !receive(gate_, answer))
            ::_exit(kCannotExecute);
    }

    const TreeOptions& options_;
    const Handle& gate_;
};

}  // namespace

Result<Command> Command::start(const TreeOptions& options) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(system_error(errno, "cannot make a socket pair"));
    Handle theirs(ends[0]);
    Command command;
    command.gate_ = Handle(ends[1]);
    // Whoever loses its parent is still found below us.
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return fail(system_error(errno, "cannot become the parent of orphans"));
    SHM_ASSIGN(auto probe, GroupProbe::start());
    command.probe_.emplace(std::move(probe));
    const auto passed = passed_signals();
    ::sigprocmask(SIG_BLOCK, &passed, &command.mask_before_);
    command.signals_ = Handle(::signalfd(-1, &passed, SFD_CLOEXEC | SFD_NONBLOCK));
    // Ignored, it would keep ends of children from us.
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &usual, &command.child_before_);
    const auto pid = command.signals_ ? ::fork() : -1;
    const int error = errno;
    if (pid == 0) {
        command.gate_.reset();
        Beginning(options, theirs).run(command.mask_before_, command.child_before_);
    }
    command.pid_ = std::max(pid, 0);
    if (pid < 0) return fail(system_error(error, "cannot start a process"));
    return command;
}

Command::Command(Command&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      probe_(std::move(other.probe_)),
      gate_(std::move(other.gate_)),
      signals_(std::move(other.signals_)),
      mask_before_(other.mask_before_),
      child_before_(other.child_before_),
      status_(other.status_) {}

Command::~Command() {
    if (!signals_) return;
    if (gate_ && pid_ > 0 && !status_) {
        ::kill(static_cast<pid_t>(pid_), SIGKILL);
        while (::waitpid(static_cast<pid_t>(pid_), nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    // What came for a command that has ended shall not end us.
    signalfd_siginfo late{};
    while (::read(signals_.get(), &late, sizeof late) > 0) {
    }
    ::sigaction(SIGCHLD, &child_before_, nullptr);
    ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

Result<GateMessage> Command::next_message() {
    GateMessage message;
    if (!receive(gate_, message))
        return fail(ErrorCode::platform_error, "the command's process ended before it began");
    return message;
}

Status Command::prepare(const std::function<Status()>& map_users) {
    for (;;) {
        SHM_ASSIGN(const auto message, next_message());
        if (message.error != 0) return fail(cannot_isolate(message.error));
        if (message.step == GateMessage::Step::ready) return {};
        if (message.step == GateMessage::Step::unshare) SHM_TRY(map_users());
        (void)send(gate_, {});
    }
}

std::optional<Error> Command::release(const std::string& program) {
    (void)send(gate_, {});
    GateMessage message;
    // The socket closes when the program begins.
    const bool failed = receive(gate_, message);
    gate_.reset();
    if (!failed) return std::nullopt;
    auto error = system_error(message.error, fmt::format("cannot execute '{}'", program));
    error.remedy = message.error == ENOENT
                       ? "check the name, PATH, and the interpreter that a script names"
                       : "check that it is a program of this system and that you may execute it";
    return error;
}

void Command::on_signal(const std::function<bool(std::int64_t)>& is_member) {
    signalfd_siginfo info{};
    bool reaps = false;
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD) {
            reaps = true;
        } else {
            pass_on(static_cast<int>(info.ssi_signo), info.ssi_pid, info.ssi_code <= 0, is_member);
        }
    }
    if (reaps) reap();
}

void Command::pass_on(int signal, std::int64_t sender, bool from_process,
                      const std::function<bool(std::int64_t)>& is_member) {
    if (status_ || pid_ <= 0) return;
    const auto pid = static_cast<pid_t>(pid_);
    // The terminal signals the whole process group, one of the tree that signals its group means
    // the tree, and others may signal the group: the command has it then, unless it left.
    const bool has_it = !from_process || is_member(sender) || probe_->has(signal);
    if (has_it && ::getpgid(pid) == ::getpgrp()) return;
    ::kill(pid, signal);
}

void Command::reap() {
    for (;;) {
        int status = 0;
        const auto pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED);
        if (pid < 0 && errno == EINTR) continue;
        if (pid <= 0) return;
        if (pid != pid_) continue;
        if (WIFSTOPPED(status)) {
            if (WSTOPSIG(status) != SIGSTOP) stop_with_it();
        } else {
            status_ = status;
        }
    }
}

// A shell with job control waits for us: it has to see that its job has stopped.
void Command::stop_with_it() const {
    const Handle terminal(::open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC));
    if (!terminal || ::tcgetpgrp(terminal.get()) != ::getpgrp()) return;
    ::raise(SIGSTOP);
    ::kill(static_cast<pid_t>(pid_), SIGCONT);
}

}  // namespace snakepit::shm::survey
