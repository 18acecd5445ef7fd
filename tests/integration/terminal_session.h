// SPDX-License-Identifier: MIT
// A program in a pseudo terminal of its own, and what a person before it sees and types.
#pragma once

#include <QProcessEnvironment>
#include <QString>
#include <QStringList>

#include <termios.h>
#include <functional>

#include "base/handle.h"
#include "terminal_emulator.h"

namespace snakepit::shm::test {

class TerminalSession {
  public:
    TerminalSession(const QString& program, const QStringList& words,
                    QProcessEnvironment environment, const QString& terminal, int columns = 100,
                    int lines = 30);
    ~TerminalSession();  // kills it
    TerminalSession(const TerminalSession&) = delete;
    TerminalSession& operator=(const TerminalSession&) = delete;

    void type(const QByteArray& keys);
    void resize(int columns, int lines);
    void signal(int number);
    // The other end of the line is gone, as when an ssh connection breaks.
    void hang_up();

    const TerminalEmulator& screen() const { return screen_; }
    QByteArray output() const { return output_; }  // everything so far
    // Reads until the screen is so; false: it never was, or the program ended.
    bool sees(const std::function<bool(const TerminalEmulator&)>& so);
    bool sees(const QString& text);
    bool sees_no(const QString& text);
    // Waits for its end: its exit status, or minus the signal.
    int wait();

    // The terminal is as a shell had it before.
    bool restored() const;

  private:
    bool read_some(int patience_ms);  // false: nothing came

    Handle near_, far_;
    termios before_{};
    pid_t pid_ = -1;
    TerminalEmulator screen_;
    QByteArray output_;
};

}  // namespace snakepit::shm::test
