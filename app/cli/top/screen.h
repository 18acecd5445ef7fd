// SPDX-License-Identifier: MIT
// The terminal, by ncurses. It is given back by the destructor, and by a crash of the process.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "top/snapshot.h"
#include "top/surface.h"
#include "top/view.h"

namespace snakepit::shm::cli {

// One at a time, on the thread that opened it, before other threads are started: it takes over the
// signals that concern a terminal, which those threads must not receive.
class Screen {
  public:
    // not_supported for a terminal that is not described, or whose cursor cannot be moved.
    static Result<std::unique_ptr<Screen>> open();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    Surface surface() const;  // empty, of the screen's size
    void show(const Surface& surface, const std::optional<Place>& cursor);
    // The next key; none after `patience`; redraw when the window changed or `news` is readable;
    // leave on SIGINT, SIGTERM, SIGHUP, or when the terminal is gone. Ctrl-Z is done with inside.
    KeyPress wait(std::chrono::milliseconds patience, int news);

  private:
    struct Private;
    explicit Screen(std::unique_ptr<Private> d);
    KeyPress read_key();
    void suspend();
    void fit();

    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm::cli
