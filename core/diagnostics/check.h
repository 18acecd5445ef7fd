// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace snakepit::shm {

// By severity. `not_running`: no fault, but what was to be checked does not run.
enum class CheckResult : std::uint8_t { ok, not_running, warning, problem };
std::string_view to_string(CheckResult result);

// The outcome of one check.
struct Check {
    std::string name;  // stable: scripts use it
    CheckResult result = CheckResult::ok;
    std::string message;  // the finding
    std::string remedy;   // what to do, a command if there is one; empty: nothing
};

Check sound(std::string name, std::string message);
Check problem(std::string name, const Error& error);
Check warning(std::string name, const Error& error);

// Counts findings, and keeps the first few for the message.
class Findings {
  public:
    void add(std::string what);
    std::size_t count() const { return count_; }
    // "a; b; and 3 more"
    std::string text() const;

  private:
    std::size_t count_ = 0;
    std::vector<std::string> first_;
};

}  // namespace snakepit::shm
