// SPDX-License-Identifier: MIT
// Signals of a terminal program, and a terminal that is usable again however the program ends.
#pragma once

#include <chrono>
#include <csignal>
#include <string>

#include <termios.h>

namespace snakepit::shm::cli {

// What has been signalled; one program has one terminal.
struct Signalled {
    bool leave = false, window = false, stop = false, resumed = false;
};

class TerminalGuard {
  public:
    // `restore`: what the terminal is sent to become as it was; at most 256 bytes of it.
    TerminalGuard(const termios& before, const std::string& restore);
    ~TerminalGuard();
    TerminalGuard(const TerminalGuard&) = delete;
    TerminalGuard& operator=(const TerminalGuard&) = delete;

    // Waits for input on one of the two, a signal, or the end of `patience`.
    struct Woken {
        bool key = false, news = false, hung_up = false;
        Signalled signalled;
    };
    Woken wait(std::chrono::milliseconds patience, int keys, int news) const;
    // Stops the process as Ctrl-Z does; returns when it goes on.
    void stop() const;

  private:
    void listen() const;
    sigset_t outside_{};  // the mask to wait with
};

}  // namespace snakepit::shm::cli
