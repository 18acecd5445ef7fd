// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <termios.h>

#include "base/result.h"

namespace snakepit::shm::cli {

struct TerminalSize {
    std::size_t columns = 120;
    std::size_t lines = 40;
};

// Owns the terminal while it is redrawn: single keys without echo, the other screen, no cursor.
// One at a time. The destructor, and SIGTERM, SIGINT and SIGHUP by way of key(), give it back.
class Terminal {
  public:
    static bool available();  // standard input and output are terminals
    static Result<Terminal> open();

    Terminal(Terminal&& other) noexcept;
    Terminal& operator=(Terminal&&) = delete;
    ~Terminal();

    TerminalSize size() const;
    // Replaces what is shown by the first lines of `frame`, as many as fit.
    void draw(std::string_view frame) const;

    static constexpr int kNothing = -1;
    static constexpr int kEnd = -2;  // a signal asked us to end, or the terminal is gone
    // The next key, or kNothing after `timeout_ms`, or earlier when the window changed its size.
    int key(int timeout_ms);

  private:
    Terminal() = default;
    termios before_{};
    bool owned_ = false;
};

}  // namespace snakepit::shm::cli
