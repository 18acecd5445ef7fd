// SPDX-License-Identifier: MIT
#include "alerts/hook_line.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/time.h"
#include "platform/signals_blocked.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kMostWaiting = 200;
constexpr auto kLastChance = std::chrono::seconds(2);
constexpr auto kFirstPause = std::chrono::seconds(1);
constexpr auto kLongestPause = std::chrono::seconds(60);

}  // namespace

HookLine::HookLine(std::unique_ptr<AlertHook> hook, Report report)
    : hook_(std::move(hook)), report_(std::move(report)) {
    state_.hook = hook_->name();
    const SignalsBlocked blocked;  // inherited by the thread; whom we tell may go away (SIGPIPE)
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), ("shm-" + state_.hook).substr(0, 15).c_str());
}

HookLine::~HookLine() {
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

void HookLine::tell(AlertMessage message) {
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() == kMostWaiting) {
            queue_.pop_front();
            ++state_.lost;
        }
        queue_.push_back(std::move(message));
    }
    wake_.notify_one();
}

HookState HookLine::state() const {
    const std::lock_guard lock(mutex_);
    auto out = state_;
    out.waiting = queue_.size();
    return out;
}

void HookLine::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
        if (queue_.empty() || (ending_ && monotonic_nanos() >= ends_at_)) break;
        const auto message = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        deliver(message);
        lock.lock();
    }
    done_ = true;
    wake_.notify_all();
}

void HookLine::deliver(const AlertMessage& message) {
    for (int attempt = 0;; ++attempt) {
        const auto status = hook_->tell(message, cancelled_);
        if (status) return settle({});
        // There is no such thing on this system, no journal for one: nobody was told, or missed it.
        if (status.error().code == ErrorCode::not_supported) return;
        const bool hopeless = status.error().code == ErrorCode::invalid_argument;
        settle(status);
        if (hopeless || attempt >= hook_->retries() || !pause(attempt)) break;
    }
    const std::lock_guard lock(mutex_);
    ++state_.lost;
}

// False: the manager stops.
bool HookLine::pause(int attempt) {
    const auto length =
        std::min<std::chrono::seconds>(kFirstPause * (1 << std::min(attempt, 6)), kLongestPause);
    std::unique_lock lock(mutex_);
    return !wake_.wait_for(lock, length, [this] { return ending_; });
}

void HookLine::settle(const Status& status) {
    HookReport report;
    {
        const std::lock_guard lock(mutex_);
        const auto problem = status ? std::string() : status.error().sentence();
        if (problem.empty()) ++state_.told;
        const bool change = problem.empty() != state_.problem.empty();
        state_.problem = problem;
        if (!change) return;
        if (!problem.empty()) lost_before_ = state_.lost;
        report = {state_.hook, problem, state_.lost - lost_before_};
    }
    report_(report);
}

}  // namespace snakepit::shm
