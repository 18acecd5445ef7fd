// SPDX-License-Identifier: MIT
#include "top/terminal_guard.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace snakepit::shm::cli {

namespace {

constexpr std::array kHandledSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};
constexpr std::array kFatal{SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

volatile std::sig_atomic_t asked_to_leave, window_changed, asked_to_stop, resumed;

// What a crash needs, where a signal handler can reach it.
termios before_all;
std::array<char, 256> restoring;
std::size_t restoring_bytes;

void note(int signal) {
    switch (signal) {
        case SIGWINCH:
            window_changed = 1;
            return;
        case SIGTSTP:
            asked_to_stop = 1;
            return;
        case SIGCONT:
            resumed = 1;
            return;
        default:
            asked_to_leave = 1;
    }
}

void give_back() {
    [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, restoring.data(), restoring_bytes);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_all);
}

// Only calls that are safe in a signal handler; then the signal does what it would have done.
void crash(int signal) {
    give_back();
    ::raise(signal);
}

void handle(int signal, void (*handler)(int), int flags = 0) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ::sigaction(signal, &action, nullptr);
}

bool take(volatile std::sig_atomic_t& flag) {
    const bool was = flag != 0;
    flag = 0;
    return was;
}

}  // namespace

TerminalGuard::TerminalGuard(const termios& before, const std::string& restore) {
    before_all = before;
    restoring_bytes = std::min(restore.size(), restoring.size());
    std::copy_n(restore.begin(), restoring_bytes, restoring.begin());
    // They arrive only while we wait, so that none is missed between a look and a wait.
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int signal : kHandledSignals) sigaddset(&blocked, signal);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &outside_);
    for (const int signal : kHandledSignals) sigdelset(&outside_, signal);
    listen();
    for (const int signal : kFatal)
        handle(signal, crash, static_cast<int>(SA_RESETHAND) | SA_NODEFER);
}

void TerminalGuard::listen() const {
    for (const int signal : kHandledSignals) handle(signal, note);
}

TerminalGuard::~TerminalGuard() {
    for (const int signal : kHandledSignals) handle(signal, SIG_DFL);
    for (const int signal : kFatal) handle(signal, SIG_DFL);
    ::pthread_sigmask(SIG_SETMASK, &outside_, nullptr);
}

TerminalGuard::Woken TerminalGuard::wait(std::chrono::milliseconds patience, int keys,
                                         int news) const {
    std::array<pollfd, 2> looked{{{keys, POLLIN, 0}, {news, POLLIN, 0}}};
    const timespec limit{patience.count() / 1000, patience.count() % 1000 * 1'000'000};
    const int ready = ::ppoll(looked.data(), looked.size(), &limit, &outside_);
    Woken out;
    out.signalled = {take(asked_to_leave), take(window_changed), take(asked_to_stop),
                     take(resumed)};
    if (ready <= 0) return out;
    out.key = (looked[0].revents & POLLIN) != 0;
    out.hung_up = (looked[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
    out.news = (looked[1].revents & POLLIN) != 0;
    return out;
}

void TerminalGuard::stop() const {
    handle(SIGTSTP, SIG_DFL);
    ::raise(SIGTSTP);
    sigset_t stopping;
    sigemptyset(&stopping);
    sigaddset(&stopping, SIGTSTP);
    // Here it stops, and here it goes on.
    ::pthread_sigmask(SIG_UNBLOCK, &stopping, nullptr);
    ::pthread_sigmask(SIG_BLOCK, &stopping, nullptr);
    listen();
}

}  // namespace snakepit::shm::cli
