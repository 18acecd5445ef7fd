// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "ui/models/background.h"
#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// One reader's connection to the event database, on a thread of its own. A new question ends the
// one before it: its answer never arrives. GUI thread.
class EventFeed {
  public:
    using Answer = std::function<void(Result<std::vector<EventRow>>)>;

    explicit EventFeed(std::unique_ptr<EventSource> source);
    ~EventFeed();

    void ask(const EventQuery& query, Answer answer);
    void cancel();
    bool busy() const { return busy_; }

  private:
    std::shared_ptr<EventSource> source_;
    std::shared_ptr<std::atomic<std::uint64_t>> current_;  // the question that counts
    bool busy_ = false;
    QObject context_;
    Background background_;  // last: its thread ends before the rest goes
};

}  // namespace snakepit::shm::ui
