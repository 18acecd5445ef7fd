// SPDX-License-Identifier: MIT
#include "alerts/alert_teller.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace snakepit::shm {

namespace {

// Of one message: what is more goes into the next.
constexpr std::size_t kMostTogether = 100;

}  // namespace

AlertTeller::AlertTeller(std::string instance, HookLine::Report report,
                         std::chrono::milliseconds together)
    : instance_(std::move(instance)),
      report_(std::move(report)),
      together_(together),
      thread_([this] { run(); }) {
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
    std::vector<std::unique_ptr<HookLine>> lines;
    for (auto& hook : hooks) lines.push_back(std::make_unique<HookLine>(std::move(hook), report_));
    {
        const std::lock_guard lock(mutex_);
        for (auto& old : lines_) retired_.push_back(std::move(old));
        lines_ = std::move(lines);
    }
    wake_.notify_one();
}

void AlertTeller::tell(std::vector<Alert> alerts) {
    {
        const std::lock_guard lock(mutex_);
        if (lines_.empty()) return;
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
    for (const auto& line : lines_) out.push_back(line->state());
    return out;
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
            for (const auto& line : lines_) line->tell(groups_.front().message);
            groups_.pop_front();
        }
    }
}

}  // namespace snakepit::shm
