// SPDX-License-Identifier: MIT
#include "alerts/alert_teller.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "platform/signals_blocked.h"

namespace snakepit::shm {

namespace {

// Of one message: what is more goes into the next.
constexpr std::size_t kMostTogether = 100;

}  // namespace

AlertTeller::AlertTeller(std::string instance, HookLine::Report report, Mark mark,
                         std::chrono::milliseconds together)
    : instance_(std::move(instance)),
      report_(std::move(report)),
      mark_(std::move(mark)),
      together_(together) {
    const SignalsBlocked blocked;  // inherited by the thread
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "shm-teller");
}

AlertTeller::~AlertTeller() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void AlertTeller::use(std::vector<std::unique_ptr<AlertHook>> hooks) {
    auto lines = std::make_shared<Lines>();
    for (auto& hook : hooks) lines->push_back(std::make_unique<HookLine>(std::move(hook), report_));
    {
        const std::lock_guard lock(mutex_);
        retired_.push_back(std::exchange(lines_, std::move(lines)));
    }
    wake_.notify_one();
}

void AlertTeller::tell(std::vector<Alert> alerts) {
    {
        const std::lock_guard lock(mutex_);
        for (auto& alert : alerts) add(std::move(alert));
    }
    wake_.notify_one();
}

void AlertTeller::add(Alert alert) {
    const auto same = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
        return group.message.first().rule == alert.rule &&
               group.message.first().state == alert.state &&
               group.message.alerts.size() < kMostTogether;
    });
    if (same != groups_.end()) {
        same->message.alerts.push_back(std::move(alert));
        return;
    }
    auto& group = groups_.emplace_back();
    group.message.instance = instance_;
    group.message.alerts.push_back(std::move(alert));
    group.due = Clock::now() + together_;
}

std::vector<HookState> AlertTeller::state() const {
    const std::lock_guard lock(mutex_);
    std::vector<HookState> out;
    for (const auto& line : *lines_) out.push_back(line->state());
    return out;
}

void AlertTeller::hand_over(const AlertMessage& message, std::unique_lock<std::mutex>& lock) {
    const auto tell = [lines = lines_, message] {
        for (const auto& line : *lines) line->tell(message);
    };
    const bool last = ending_;
    lock.unlock();
    if (last) tell();  // before the hooks end
    mark_(message, last ? std::function<void()>() : tell);
    lock.lock();
}

void AlertTeller::run() {
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
            old.clear();  // waits for what they are about
            lock.lock();
        }
        while (!groups_.empty() && (ending_ || groups_.front().due <= Clock::now())) {
            const auto message = std::move(groups_.front().message);
            groups_.pop_front();
            hand_over(message, lock);
        }
    }
}

}  // namespace snakepit::shm
