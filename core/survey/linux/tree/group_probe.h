// SPDX-License-Identifier: MIT
// Detects whether a received signal was sent to our whole process group. The command, which is in
// the group, then has it already and must not get it twice.
#pragma once

#include <cstdint>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::survey {

// An idle process in our group, in which signals stay pending until they are checked. It ends with
// this object or with this process.
class GroupProbe {
  public:
    static Result<GroupProbe> start();
    GroupProbe(GroupProbe&& other) noexcept;
    GroupProbe& operator=(GroupProbe&&) = delete;
    ~GroupProbe();

    std::int64_t pid() const { return pid_; }
    // Whether the probe received that signal too since the last call.
    bool has(int signal);

  private:
    GroupProbe() = default;

    std::int64_t pid_ = 0;
    Handle line_;
};

}  // namespace snakepit::shm::survey
