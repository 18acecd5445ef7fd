// SPDX-License-Identifier: MIT
#include "alerts/alert_clerk.h"

#include <pthread.h>

#include <chrono>
#include <future>
#include <utility>

#include "platform/signals_blocked.h"

namespace snakepit::shm {

namespace {

constexpr auto kAgain = std::chrono::seconds(5);
constexpr auto kTidying = std::chrono::hours(1);
// Of a database that stays away; the oldest rows are given up then, what fires now is still known.
constexpr std::size_t kMostUnsaved = 2000;

}  // namespace

AlertClerk::AlertClerk(AlertStore store) : store_(std::move(store)) {
    const SignalsBlocked blocked;  // inherited by the thread
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "shm-alerts");
}

AlertClerk::~AlertClerk() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void AlertClerk::write(AlertBatch batch, bool once, std::function<void(const Status&)> then) {
    read([this, batch = std::move(batch), once, then = std::move(then)](AlertStore&) mutable {
        const auto status = save(std::move(batch), once);
        if (then) then(status);
    });
}

void AlertClerk::read(std::function<void(AlertStore&)> work) {
    {
        const std::lock_guard lock(mutex_);
        queue_.emplace_back([this, work = std::move(work)] { work(store_); });
    }
    wake_.notify_one();
}

void AlertClerk::wait() {
    std::promise<void> done;
    read([&](AlertStore&) { done.set_value(); });
    done.get_future().wait();
}

std::string AlertClerk::problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
}

void AlertClerk::note(const Status& status) {
    const std::lock_guard lock(mutex_);
    problem_ = status ? std::string() : status.error().sentence();
}

Status AlertClerk::save(AlertBatch batch, bool once) {
    // In the order they came: a later row of an alert replaces an earlier one.
    if (!unsaved_.empty()) {
        const auto before = store_.write(unsaved_);
        if (before) unsaved_ = {};
        note(before);
    }
    Status written;
    if (unsaved_.empty() && !batch.empty()) {
        written = store_.write(batch);
        note(written);
        if (written) return {};
    } else if (!unsaved_.empty()) {
        written = fail(ErrorCode::database_unavailable, problem());
    }
    if (batch.empty() || once) return written;
    unsaved_.add(std::move(batch));
    auto& alerts = unsaved_.alerts;
    if (alerts.size() > kMostUnsaved)
        alerts.erase(alerts.begin(), alerts.end() - static_cast<std::ptrdiff_t>(kMostUnsaved));
    return written;
}

void AlertClerk::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait_for(lock, kAgain, [this] { return ending_ || !queue_.empty(); });
        while (!queue_.empty()) {
            const auto work = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            work();
            lock.lock();
        }
        const bool last = ending_;
        lock.unlock();
        (void)save({}, false);
        if (const auto at = std::chrono::steady_clock::now(); !last && at >= next_tidying_) {
            next_tidying_ = at + kTidying;
            note(store_.forget_old(now()));
        }
        if (last) return;
        lock.lock();
    }
}

}  // namespace snakepit::shm
