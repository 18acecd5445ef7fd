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
    // Writes down that somebody hears of it now, and calls `then` when that is done or cannot be.
    using Mark = std::function<void(const AlertMessage&, std::function<void()> then)>;

    AlertTeller(std::string instance, HookLine::Report report, Mark mark,
                std::chrono::milliseconds together = std::chrono::seconds(2));
    ~AlertTeller();  // hands over at once what it has

    // Any thread. Ends the hooks there were; without any, what is told goes nowhere.
    void use(std::vector<std::unique_ptr<AlertHook>> hooks);
    void tell(std::vector<Alert> alerts);  // any thread
    std::vector<HookState> state() const;  // any thread

  private:
    using Clock = std::chrono::steady_clock;
    struct Group {
        AlertMessage message;
        Clock::time_point due;
    };
    using Lines = std::vector<std::unique_ptr<HookLine>>;
    void run();
    void add(Alert alert);
    void hand_over(const AlertMessage& message, std::unique_lock<std::mutex>& lock);

    std::string instance_;
    HookLine::Report report_;
    Mark mark_;
    std::chrono::milliseconds together_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::list<Group> groups_;  // in the order in which they are due
    // Whoever writes a mark down has them too, and may be the last.
    std::shared_ptr<const Lines> lines_ = std::make_shared<const Lines>();
    std::vector<std::shared_ptr<const Lines>> retired_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace snakepit::shm
