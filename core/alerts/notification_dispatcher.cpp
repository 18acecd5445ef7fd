// SPDX-License-Identifier: MIT
#include "alerts/notification_dispatcher.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/time.h"
#include "platform/signals_blocked.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kMostGrouped = 100;  // alerts of one notification; further ones begin another
constexpr std::size_t kMostWaiting = 200;
constexpr auto kLastChance = std::chrono::seconds(2);
constexpr auto kFirstPause = std::chrono::seconds(1);
constexpr auto kLongestPause = std::chrono::seconds(60);

}  // namespace

// -------------------------------------------------------------- ReceiverQueue
ReceiverQueue::ReceiverQueue(std::unique_ptr<Receiver> receiver, Report report)
    : receiver_(std::move(receiver)), report_(std::move(report)) {
    state_.receiver = receiver_->name();
    const SignalsBlocked
        blocked;  // inherited by the thread; a receiver may close its end (SIGPIPE)
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), ("shm-" + state_.receiver).substr(0, 15).c_str());
}

ReceiverQueue::~ReceiverQueue() {
    {
        std::unique_lock lock(mutex_);
        ending_ = true;
        ends_at_ = monotonic_nanos() + std::chrono::nanoseconds(kLastChance).count();
        cancelled_ = !state_.problem.empty();
        wake_.notify_all();
        wake_.wait_for(lock, kLastChance, [this] { return done_; });
        cancelled_ = true;
    }
    thread_.join();
}

void ReceiverQueue::push(Notification notification) {
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() == kMostWaiting) {
            queue_.pop_front();
            ++state_.lost;
        }
        queue_.push_back(std::move(notification));
    }
    wake_.notify_one();
}

ReceiverState ReceiverQueue::state() const {
    const std::lock_guard lock(mutex_);
    auto out = state_;
    out.waiting = queue_.size();
    return out;
}

void ReceiverQueue::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        if (queue_.empty() || (ending_ && monotonic_nanos() >= ends_at_)) break;
        const auto notification = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        deliver(notification);
        lock.lock();
    }
    done_ = true;
    wake_.notify_all();
}

void ReceiverQueue::deliver(const Notification& notification) {
    for (int attempt = 0;; ++attempt) {
        const auto status = receiver_->notify(notification, cancelled_);
        if (status) return note({});
        if (status.error().code == ErrorCode::not_supported) return;
        const bool permanent = status.error().code == ErrorCode::invalid_argument;
        note(status);
        if (permanent || attempt >= receiver_->retries() || !pause(attempt)) break;
    }
    const std::lock_guard lock(mutex_);
    ++state_.lost;
}

// False: the manager stops.
bool ReceiverQueue::pause(int attempt) {
    const auto length =
        std::min<std::chrono::seconds>(kFirstPause * (1 << std::min(attempt, 6)), kLongestPause);
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, length, [this] { return ending_; });
}

void ReceiverQueue::note(const Status& status) {
    ReceiverReport report;
    {
        const std::lock_guard lock(mutex_);
        const auto problem = status ? std::string() : status.error().sentence();
        if (problem.empty()) ++state_.delivered;
        const bool change = problem.empty() != state_.problem.empty();
        state_.problem = problem;
        if (!change) return;
        if (!problem.empty()) lost_before_ = state_.lost;
        report = {state_.receiver, problem, state_.lost - lost_before_};
    }
    report_(report);
}

// ----------------------------------------------------- NotificationDispatcher
NotificationDispatcher::NotificationDispatcher(std::string instance, ReceiverQueue::Report report,
                                               Mark mark, std::chrono::milliseconds group_wait)
    : instance_(std::move(instance)),
      report_(std::move(report)),
      mark_(std::move(mark)),
      group_wait_(group_wait) {
    const SignalsBlocked blocked;  // inherited by the thread
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "shm-notify");
}

NotificationDispatcher::~NotificationDispatcher() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void NotificationDispatcher::set_receivers(std::vector<std::unique_ptr<Receiver>> receivers) {
    auto queues = std::make_shared<Queues>();
    for (auto& receiver : receivers)
        queues->push_back(std::make_unique<ReceiverQueue>(std::move(receiver), report_));
    {
        const std::lock_guard lock(mutex_);
        retired_.push_back(std::exchange(queues_, std::move(queues)));
    }
    wake_.notify_one();
}

void NotificationDispatcher::dispatch(std::vector<Alert> alerts) {
    {
        const std::lock_guard lock(mutex_);
        for (auto& alert : alerts) add(std::move(alert));
    }
    wake_.notify_one();
}

void NotificationDispatcher::add(Alert alert) {
    const auto same = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
        return group.notification.first().rule == alert.rule &&
               group.notification.first().state == alert.state &&
               group.notification.alerts.size() < kMostGrouped;
    });
    if (same != groups_.end()) {
        same->notification.alerts.push_back(std::move(alert));
        return;
    }
    auto& group = groups_.emplace_back();
    group.notification.instance = instance_;
    group.notification.alerts.push_back(std::move(alert));
    group.due = Clock::now() + group_wait_;
}

std::vector<ReceiverState> NotificationDispatcher::state() const {
    const std::lock_guard lock(mutex_);
    std::vector<ReceiverState> out;
    for (const auto& queue : *queues_) out.push_back(queue->state());
    return out;
}

void NotificationDispatcher::hand_over(const Notification& notification,
                                       std::unique_lock<std::mutex>& lock) {
    const auto notify = [queues = queues_, notification] {
        for (const auto& queue : *queues) queue->push(notification);
    };
    const bool last = ending_;
    lock.unlock();
    if (last) notify();  // before the receivers end
    mark_(notification, last ? std::function<void()>() : notify);
    lock.lock();
}

void NotificationDispatcher::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        if (groups_.empty() && ending_) return;
        if (groups_.empty())
            wake_.wait(lock, [this] { return ending_ || !groups_.empty() || !retired_.empty(); });
        else
            wake_.wait_until(lock, groups_.front().due,
                             [this] { return ending_ || !retired_.empty(); });
        if (!retired_.empty()) {
            auto old = std::exchange(retired_, {});
            lock.unlock();
            old.clear();  // waits for their last attempts
            lock.lock();
        }
        while (!groups_.empty() && (ending_ || groups_.front().due <= Clock::now())) {
            const auto notification = std::move(groups_.front().notification);
            groups_.pop_front();
            hand_over(notification, lock);
        }
    }
}

}  // namespace snakepit::shm
