// SPDX-License-Identifier: MIT
#include "reaper.h"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

namespace snakepit::elixir {

Reaper& Reaper::quick() {
    static auto* const reaper = new Reaper;
    return *reaper;
}

Reaper& Reaper::slow() {
    static auto* const reaper = new Reaper;
    return *reaper;
}

void Reaper::join_all() {
    quick().join();
    slow().join();
    quick().join();  // slow tasks may leave quick ones
}

void Reaper::push(Task task) {
    const std::lock_guard held(mutex_);
    queue_.push_back(std::move(task));
    if (!running_) start();
    wake_.notify_one();
}

bool Reaper::ending() {
    const std::lock_guard held(mutex_);
    return ending_;
}

void Reaper::start() {
    if (thread_.joinable()) thread_.join();
    // The virtual machine's signals are handled by its own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread([this] { run(); });
        running_ = true;
    } catch (const std::system_error&) {
        // No thread now: the next task tries again.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Reaper::run() {
    pthread_setname_np(pthread_self(), "snakepit_reaper");
    std::unique_lock held(mutex_);
    while (true) {
        wake_.wait(held, [this] { return ending_ || !queue_.empty(); });
        if (queue_.empty()) break;
        auto task = std::move(queue_.front());
        queue_.pop_front();
        held.unlock();
        task();
        task = nullptr;  // what it holds may leave tasks, too
        held.lock();
    }
    running_ = ending_ = false;
}

void Reaper::join() {
    std::thread thread;
    {
        const std::lock_guard held(mutex_);
        ending_ = true;
        thread = std::move(thread_);
        wake_.notify_one();
    }
    // The last resource of a module that was purged may be destroyed by a task.
    if (thread.get_id() == std::this_thread::get_id()) return thread.detach();
    if (thread.joinable()) thread.join();
    const std::lock_guard held(mutex_);
    ending_ = false;
}

}  // namespace snakepit::elixir
