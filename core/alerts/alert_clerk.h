// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "alerts/alert_store.h"

namespace snakepit::shm {

// Writes for the service thread, which never waits for the disk: one thread, in the order of the
// calls. What cannot be written is kept and tried again every few seconds, and with every call.
class AlertClerk {
  public:
    explicit AlertClerk(AlertStore store);
    ~AlertClerk();  // when all was tried

    // Any thread. `then` runs on the clerk's thread, with what became of it; may be empty.
    // `once`: only if it can be written now.
    void write(AlertBatch batch, bool once, std::function<void(const Status&)> then);
    void read(std::function<void(AlertStore&)> work);
    void wait();  // until all that was asked before is done
    // Why nothing can be written; or empty.
    std::string problem() const;

  private:
    void run();
    Status save(AlertBatch batch, bool once);
    void note(const Status& status);

    AlertStore store_;
    AlertBatch unsaved_;  // the clerk's
    std::chrono::steady_clock::time_point next_tidying_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    std::string problem_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace snakepit::shm
