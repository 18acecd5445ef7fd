// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "protocol/messages.h"

namespace snakepit::shm {

// Messages that have to reach the manager although no thread waits for an answer: releases and
// cancellations of what was not answered in time.
//
// They are sent in their order and before any later request of the connection, so that the manager
// never executes a later request of the same owner first. What was sent may still be lost with the
// manager: it stays here until a later request was answered, which shows that it was executed, and
// is sent again over the next connection. So executing a message twice must be harmless.
//
// Any thread may post and look; only the thread that has the connection sends.
class Outbox {
  public:
    struct Message {
        wire::RequestT frame;
        // At most one message of a group other than 0 is on its way; the next one is sent when it
        // was executed. For messages that the manager recognises only if none follows.
        std::uint64_t group = 0;
        bool sent = false;
    };

    void post(wire::RequestT frame, std::uint64_t group = 0) {
        const std::lock_guard held(mutex_);
        messages_.push_back({std::move(frame), group});
        ready_.store(true);
    }
    // Before all that were not sent yet.
    void post_first(wire::RequestT frame) {
        const std::lock_guard held(mutex_);
        const auto first = std::find_if(messages_.begin(), messages_.end(),
                                        [](const Message& one) { return !one.sent; });
        messages_.insert(first, {std::move(frame)});
        ready_.store(true);
    }
    // There is something to send that the last flush() did not see.
    bool ready() const { return ready_.load(); }
    // `send` returns false if it cannot send now; then the rest stays, and the result is false.
    template <typename Send>
    bool flush(Send send) {
        const std::lock_guard held(mutex_);
        ready_.store(false);
        for (auto next = messages_.begin(); next != messages_.end(); ++next) {
            if (next->sent || (next->group != 0 && follows_its_group(next))) continue;
            if (!send(next->frame)) return false;
            next->sent = true;
        }
        return true;
    }
    // A request that was sent after them was answered.
    void executed() {
        const std::lock_guard held(mutex_);
        std::erase_if(messages_, [](const Message& one) { return one.sent; });
        ready_.store(!messages_.empty());
    }
    void reconnected() {
        const std::lock_guard held(mutex_);
        for (auto& message : messages_) message.sent = false;
    }

    // The first one that `fits`.
    template <typename Fits>
    std::optional<Message> find(Fits fits) {
        const std::lock_guard held(mutex_);
        const auto found = std::find_if(messages_.begin(), messages_.end(), fits);
        return found == messages_.end() ? std::nullopt : std::optional(*found);
    }
    template <typename Fits>
    void erase(Fits fits) {
        const std::lock_guard held(mutex_);
        std::erase_if(messages_, fits);
        ready_.store(!messages_.empty());
    }

  private:
    bool follows_its_group(std::deque<Message>::const_iterator message) const {
        return std::any_of(messages_.begin(), message,
                           [&](const Message& earlier) { return earlier.group == message->group; });
    }

    std::mutex mutex_;
    std::deque<Message> messages_;
    std::atomic<bool> ready_{false};
};

}  // namespace snakepit::shm
