// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace snakepit::shm {

// A thread that does what is posted, in that order, with signals blocked (SignalsBlocked). What it
// is for must outlive it: declare it last.
class BackgroundThread {
  public:
    using Work = std::function<void()>;

    // `name`: at most 15 characters, as top and gdb show it.
    explicit BackgroundThread(const char* name) : BackgroundThread(name, {}, {}) {}
    // Also does `regular` at once and then whenever `interval` has passed since the last time.
    BackgroundThread(const char* name, std::chrono::milliseconds interval, Work regular);
    ~BackgroundThread() { finish(); }
    BackgroundThread(const BackgroundThread&) = delete;
    BackgroundThread& operator=(const BackgroundThread&) = delete;

    void post(Work work);  // any thread
    // Any thread but this. Waits until all that was posted before is done; false: not in time.
    bool drain(std::chrono::milliseconds timeout);
    // Does what was posted and ends. What is posted later is never done.
    void finish();

  private:
    void run();

    const std::chrono::milliseconds interval_;
    const Work regular_;
    std::mutex mutex_;
    std::condition_variable posted_;
    std::deque<Work> queue_;  // guarded by mutex_, as is ending_
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace snakepit::shm
