// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>

namespace snakepit::shm {

// How much of some long work one slice of the service loop may do before others on the service
// thread continue. A few steps are always granted, so that the work advances however slow each is.
class TimeBudget {
  public:
    explicit TimeBudget(std::size_t steps) : left_(steps) {}

    // One more step; false: the budget is spent.
    bool spend() {
        if (left_ == 0) return false;
        const bool check_clock = spent_ >= kAlways && spent_ % kClockEvery == 0;
        if (check_clock && std::chrono::steady_clock::now() > end_) left_ = 0;
        if (left_ == 0) return false;
        --left_;
        ++spent_;
        return true;
    }

  private:
    static constexpr std::size_t kAlways = 64;
    static constexpr std::size_t kClockEvery = 8;
    static constexpr auto kLongest = std::chrono::milliseconds(10);

    std::size_t left_;
    std::size_t spent_ = 0;
    std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + kLongest;
};

}  // namespace snakepit::shm
