// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/event_feed.h"

#include "ui/literals.h"
#include "ui/models/user_names.h"

namespace snakepit::shm::ui {

EventFeed::EventFeed(std::unique_ptr<EventSource> source)
    : source_(std::move(source)),
      current_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      background_(u"events"_s) {}

EventFeed::~EventFeed() {
    cancel();
}

void EventFeed::cancel() {
    ++*current_;
    if (busy_) source_->interrupt();
    busy_ = false;
}

void EventFeed::ask(const EventQuery& query, Answer answer) {
    cancel();
    busy_ = true;
    const auto token = current_->load();
    const auto job = [source = source_, current = current_, token, query] {
        if (current->load() != token)
            return Result<std::vector<EventRow>>();  // nobody waits for it
        auto rows = source->query(query);
        if (rows)
            for (const auto& row : *rows) learn_user(row.uid);
        return rows;
    };
    background_.run(&context_, job, [this, token, answer = std::move(answer)](auto result) {
        if (current_->load() != token) return;
        busy_ = false;
        answer(std::move(result));
    });
}

}  // namespace snakepit::shm::ui
