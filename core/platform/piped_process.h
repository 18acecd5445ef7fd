// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "platform/signal_source.h"

namespace snakepit::shm {

struct PipedOptions {
    std::vector<std::string> environment;  // "NAME=value", added to ours
    bool input = true;                     // false: it reads nothing (/dev/null)
    // A process group of its own, which a terminal's Ctrl-C does not reach. Without: in ours, so
    // that it can ask for a password at the terminal; the signals of Ctrl-C and Ctrl-\ are blocked
    // in it.
    bool own_group = true;
};

// A program whose standard streams are pipes of ours, which do not block. The destructor ends and
// reaps it. Move-only; one thread.
class PipedProcess {
  public:
    // `words`: the program, searched for in PATH, and its arguments. It inherits no other
    // descriptor.
    static Result<PipedProcess> start(const std::vector<std::string>& words,
                                      const PipedOptions& options = {});
    PipedProcess(PipedProcess&& other) noexcept;
    PipedProcess& operator=(PipedProcess&&) = delete;
    ~PipedProcess() { end(); }

    std::int64_t pid() const { return pid_; }
    // Readable once it has ended.
    const Handle& process() const { return process_; }
    // Each can be taken or closed.
    Handle input, output, errors;

    // Empty while it runs. The exit status, or 128 + N when it was ended by signal N.
    std::optional<int> status();
    // To it; with a group of its own, to all processes of that.
    void signal(ProcessSignal signal) const;
    // Closes the pipes, gives it `grace_ms` to end by itself, then ends it. The status.
    int end(int grace_ms = 0);

  private:
    PipedProcess() = default;
    bool wait(int timeout_ms);
    void send(int number) const;

    std::int64_t pid_ = 0;
    bool own_group_ = false;
    Handle process_;
    std::optional<int> status_;
};

}  // namespace snakepit::shm
