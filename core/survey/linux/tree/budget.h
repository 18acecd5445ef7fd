// SPDX-License-Identifier: MIT
#pragma once

#include <ctime>

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace snakepit::shm::survey {

// A budget of processor time for watching: a share of the elapsed time, accumulated up to a limit.
// Bursts are handled at once, and sustained load costs no more than the share. Nanoseconds.
class Budget {
  public:
    static constexpr std::int64_t kMostSaved = 50'000'000;

    // The share is one part in `share`.
    explicit Budget(std::int64_t share = 50)
        : share_(share), filled_at_(monotonic_nanos()), used_at_(used()) {}

    // Milliseconds until the budget is positive; 0: now.
    std::int64_t wait_ms() {
        settle();
        return saved_ > 0 ? 0 : -saved_ * share_ / 1'000'000 + 1;
    }

  private:
    static std::int64_t used() {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
    }
    void settle() {
        const auto now = monotonic_nanos(), spent = used();
        saved_ = std::min(saved_ + (now - filled_at_) / share_, kMostSaved) - (spent - used_at_);
        filled_at_ = now;
        used_at_ = spent;
    }

    std::int64_t share_, filled_at_, used_at_;
    std::int64_t saved_ = kMostSaved;
};

}  // namespace snakepit::shm::survey
