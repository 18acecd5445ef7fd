// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "alerts/alert_hook.h"

namespace snakepit::shm {

// A hook failed, or works again: said once an outage.
struct HookReport {
    std::string hook;
    std::string problem;     // empty: it works again
    std::uint64_t lost = 0;  // messages given up since it failed
};

struct HookState {
    std::string hook;
    std::string problem;  // empty: it works
    std::uint64_t told = 0, lost = 0, waiting = 0;
};

// One hook's thread and queue: what is slow or fails holds up nobody else. When too much waits the
// oldest is given up.
class HookLine {
  public:
    using Report = std::function<void(const HookReport&)>;  // on the line's thread

    HookLine(std::unique_ptr<AlertHook> hook, Report report);
    ~HookLine();  // tries once more what waits, for at most two seconds

    void tell(AlertMessage message);  // any thread
    HookState state() const;          // any thread

  private:
    void run();
    void deliver(const AlertMessage& message);
    bool pause(int attempt);
    void settle(const Status& status);

    std::unique_ptr<AlertHook> hook_;
    Report report_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<AlertMessage> queue_;
    HookState state_;
    std::uint64_t lost_before_ = 0;  // when the outage began
    bool ending_ = false, done_ = false;
    std::int64_t ends_at_ = 0;  // monotonic nanoseconds: nothing is begun after it
    std::atomic<bool> cancelled_{false};
    std::thread thread_;
};

}  // namespace snakepit::shm
