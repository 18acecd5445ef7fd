// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>

namespace snakepit::shm {

// How much of some long work may be done before the others on the service thread get their turn.
// A few steps are always granted, so that the work gets on however slow each of them is.
class TimeBudget {
  public:
    explicit TimeBudget(std::size_t steps) : left_(steps) {}

    // Asks for one more step.
    bool take() {
        if (left_ == 0) return false;
        const bool look = taken_ >= kAlways && taken_ % kLookAtClock == 0;
        if (look && std::chrono::steady_clock::now() > end_) left_ = 0;
        if (left_ == 0) return false;
        --left_;
        ++taken_;
        return true;
    }

  private:
    static constexpr std::size_t kAlways = 64;
    static constexpr std::size_t kLookAtClock = 8;
    static constexpr auto kLongest = std::chrono::milliseconds(10);

    std::size_t left_;
    std::size_t taken_ = 0;
    std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + kLongest;
};

}  // namespace snakepit::shm
