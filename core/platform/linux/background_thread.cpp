// SPDX-License-Identifier: MIT
#include "platform/background_thread.h"

#include <pthread.h>

#include <future>
#include <memory>
#include <utility>

#include "platform/signals_blocked.h"

namespace snakepit::shm {

BackgroundThread::BackgroundThread(const char* name, std::chrono::milliseconds interval,
                                   Work regular)
    : interval_(interval), regular_(std::move(regular)) {
    const SignalsBlocked blocked;  // inherited by the thread
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), name);
}

void BackgroundThread::post(Work work) {
    {
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(work));
    }
    posted_.notify_one();
}

bool BackgroundThread::drain(std::chrono::milliseconds timeout) {
    const auto done = std::make_shared<std::promise<void>>();  // it may come after the timeout
    auto reached = done->get_future();
    post([done] { done->set_value(); });
    return reached.wait_for(timeout) == std::future_status::ready;
}

void BackgroundThread::finish() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    posted_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void BackgroundThread::run() {
    auto next = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    const auto disturbed = [this] { return ending_ || !queue_.empty(); };
    for (;;) {
        Work work;
        const bool due = regular_ && !posted_.wait_until(lock, next, disturbed);
        if (!regular_) posted_.wait(lock, disturbed);
        if (due) {
            work = regular_;
            next = std::chrono::steady_clock::now() + interval_;
        } else if (queue_.empty()) {
            return;  // ending_
        } else {
            work = std::move(queue_.front());
            queue_.pop_front();
        }
        lock.unlock();
        work();
        lock.lock();
    }
}

}  // namespace snakepit::shm
