// SPDX-License-Identifier: MIT
// Tells whether a signal that we got was sent to our whole process group: the command, which is in
// it, has it then already, and must not get it twice.
#pragma once

#include <cstdint>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::survey {

// A process of our group that does nothing: signals stay pending there until we have looked. It
// ends with this object and with this process.
class GroupProbe {
  public:
    static Result<GroupProbe> start();
    GroupProbe(GroupProbe&& other) noexcept;
    GroupProbe& operator=(GroupProbe&&) = delete;
    ~GroupProbe();

    std::int64_t pid() const { return pid_; }
    // Whether it got that signal too, since the last call.
    bool has(int signal);

  private:
    GroupProbe() = default;

    std::int64_t pid_ = 0;
    Handle line_;
};

}  // namespace snakepit::shm::survey
