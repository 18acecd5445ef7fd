// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::cli {

// A process that runs this same program with other arguments. The destructor ends and reaps it.
class ChildProcess {
  public:
    // Its standard output goes to a pipe that we read (`lines`). It is ended when
    // this process ends, also by a kill.
    static Result<ChildProcess> start(const std::vector<std::string>& words);

    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&& other) noexcept;
    ~ChildProcess() { stop(); }

    std::int64_t pid() const { return pid_; }
    // False once it has ended; it is reaped then.
    bool running();
    // "exited with status 3", "was ended by signal 9 (Killed)"; once it has ended.
    std::string how_it_ended() const;

    // What it has written since the last call: whole lines. Never blocks.
    std::vector<std::string> lines();
    // Waits for one line; nothing when it ended without, or `timeout_ms` passed.
    Result<std::string> wait_line(int timeout_ms);

    void kill();  // -9, and reaps it
    void stop();  // asks it to end, waits, reaps it

  private:
    ChildProcess() = default;
    bool read_some();  // false: end of output
    Error ended_early();
    void reap();

    std::int64_t pid_ = 0;  // 0: none, or reaped
    int status_ = 0;        // of waitpid(), once it is reaped
    Handle output_;
    std::string unread_;
};

}  // namespace snakepit::shm::cli
