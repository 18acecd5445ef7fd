// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "alerts/hook_line.h"

namespace snakepit::shm {

// Puts alerts of one rule together that change within a few seconds, and hands them to every hook.
class AlertTeller {
  public:
    AlertTeller(std::string instance, HookLine::Report report,
                std::chrono::milliseconds together = std::chrono::seconds(2));
    ~AlertTeller();  // hands over at once what it has

    // Any thread. Ends the hooks there were.
    void use(std::vector<std::unique_ptr<AlertHook>> hooks);
    void tell(std::vector<Alert> alerts);  // any thread
    std::vector<HookState> state() const;  // any thread

  private:
    using Clock = std::chrono::steady_clock;
    struct Group {
        AlertMessage message;
        Clock::time_point due;
    };
    void run();
    void add(Alert alert);

    std::string instance_;
    HookLine::Report report_;
    std::chrono::milliseconds together_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::list<Group> groups_;  // in the order in which they are due
    std::vector<std::unique_ptr<HookLine>> lines_, retired_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace snakepit::shm
