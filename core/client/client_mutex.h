// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace snakepit::shm {

// A mutex with a deadline for waiting. Closing it ends all waits.
class ClientMutex {
  public:
    enum class Wait : std::uint8_t { locked, late, closed };

    // `deadline`: monotonic nanoseconds.
    Wait lock_until(std::int64_t deadline) {
        const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(deadline)};
        std::unique_lock held(mutex_);
        const bool free = freed_.wait_until(held, until, [this] { return closed_ || !locked_; });
        if (closed_) return Wait::closed;
        if (!free) return Wait::late;
        locked_ = true;
        return Wait::locked;
    }
    // Also works on a closed mutex.
    bool try_lock() {
        const std::lock_guard held(mutex_);
        if (locked_) return false;
        locked_ = true;
        return true;
    }
    void unlock() {
        {
            const std::lock_guard held(mutex_);
            locked_ = false;
        }
        freed_.notify_one();
    }
    void close() {
        {
            const std::lock_guard held(mutex_);
            closed_ = true;
        }
        freed_.notify_all();
    }

  private:
    std::mutex mutex_;
    std::condition_variable freed_;
    bool locked_ = false, closed_ = false;
};

}  // namespace snakepit::shm
