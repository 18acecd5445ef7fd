// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace snakepit::shm {

enum class Verdict : std::uint8_t { ok, warning, problem };
std::string_view to_string(Verdict verdict);

// What one look came to.
struct Check {
    std::string name;  // which check; scripts know it
    Verdict verdict = Verdict::ok;
    std::string message;  // what was found
    std::string remedy;   // what repairs it, a command where there is one; empty: nothing to do
};

Check sound(std::string name, std::string message);
Check problem(std::string name, const Error& error);
Check warning(std::string name, const Error& error);

// Counts what is wrong, and keeps the first few words of it for the message.
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
