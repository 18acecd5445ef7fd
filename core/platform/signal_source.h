// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>
#include <initializer_list>
#include <optional>

#include "base/handle.h"

namespace snakepit::shm {

// What a person, a terminal or a service manager sends to a process.
enum class ProcessSignal { hang_up, interrupt, quit, terminate };

// These signals come by a descriptor while the object exists, to the thread that made it and those
// it starts. One thread; signals that come too late for that are dropped at the end.
class SignalSource {
  public:
    explicit SignalSource(std::initializer_list<ProcessSignal> signals);
    ~SignalSource();
    SignalSource(const SignalSource&) = delete;
    SignalSource& operator=(const SignalSource&) = delete;

    // Readable when one has come.
    const Handle& handle() const { return handle_; }
    std::optional<ProcessSignal> next() const;

  private:
    sigset_t before_{};
    Handle handle_;
};

}  // namespace snakepit::shm
