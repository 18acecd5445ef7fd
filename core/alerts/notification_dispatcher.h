// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "alerts/receiver.h"

namespace snakepit::shm {

// A receiver failed, or works again: reported once an outage.
struct ReceiverReport {
    std::string receiver;
    std::string problem;     // empty: it works again
    std::uint64_t lost = 0;  // notifications dropped since it failed
};

struct ReceiverState {
    std::string receiver;
    std::string problem;  // empty: it works
    std::uint64_t delivered = 0, lost = 0, waiting = 0;
};

// One receiver's queue and thread: a slow or failing one delays no other. When too many
// notifications wait the oldest is dropped.
class ReceiverQueue {
  public:
    using Report = std::function<void(const ReceiverReport&)>;  // on the queue's thread

    ReceiverQueue(std::unique_ptr<Receiver> receiver, Report report);
    ~ReceiverQueue();  // makes one more attempt for what waits, for at most two seconds

    void push(Notification notification);  // any thread
    ReceiverState state() const;           // any thread

  private:
    void run();
    void deliver(const Notification& notification);
    bool pause(int attempt);
    void note(const Status& status);

    std::unique_ptr<Receiver> receiver_;
    Report report_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Notification> queue_;
    ReceiverState state_;
    std::uint64_t lost_before_ = 0;  // when the outage began
    bool ending_ = false, done_ = false;
    std::int64_t ends_at_ = 0;  // monotonic nanoseconds: no attempt begins after it
    std::atomic<bool> cancelled_{false};
    std::thread thread_;
};

// Groups alerts of one rule that change within a few seconds, and hands each group to every
// receiver.
class NotificationDispatcher {
  public:
    // Records that the receivers are notified now, and calls `then` when that is saved or failed.
    using Mark = std::function<void(const Notification&, std::function<void()> then)>;

    NotificationDispatcher(std::string instance, ReceiverQueue::Report report, Mark mark,
                           std::chrono::milliseconds group_wait = std::chrono::seconds(2));
    ~NotificationDispatcher();  // hands over what it has at once

    // Any thread. Ends the receivers before; without any, notifications are dropped.
    void set_receivers(std::vector<std::unique_ptr<Receiver>> receivers);
    void dispatch(std::vector<Alert> alerts);  // any thread
    std::vector<ReceiverState> state() const;  // any thread

  private:
    using Clock = std::chrono::steady_clock;
    struct Group {
        Notification notification;
        Clock::time_point due;
    };
    using Queues = std::vector<std::unique_ptr<ReceiverQueue>>;
    void run();
    void add(Alert alert);
    void hand_over(const Notification& notification, std::unique_lock<std::mutex>& lock);

    std::string instance_;
    ReceiverQueue::Report report_;
    Mark mark_;
    std::chrono::milliseconds group_wait_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::list<Group> groups_;  // in the order in which they are due
    // Shared with marks that are being saved.
    std::shared_ptr<const Queues> queues_ = std::make_shared<const Queues>();
    std::vector<std::shared_ptr<const Queues>> retired_;
    bool ending_ = false;
    std::thread thread_;
};

}  // namespace snakepit::shm
