// SPDX-License-Identifier: MIT
// What the service does by itself as time goes on, and how much of it at once.
#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "manager/comes_due.h"
#include "manager/service.h"
#include "manager/turn.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// What one turn of the service loop does of work that may be long; see Turn for its time.
constexpr std::size_t kLookedATurn = 2'000;
constexpr std::size_t kDueATurn = 256;
constexpr std::size_t kDueAtLeast = 10'000;  // deadlines kept before it is looked which are stale

}  // namespace

void Service::look_at(std::uint32_t slot, std::int64_t at) {
    const auto state = registry_->control(slot).state;
    if (state == SlotState::freeing)
        (void)finish(slot, "cleanup was tried again", {});  // a failure is kept in stuck_
    if (state != SlotState::live && state != SlotState::revoked && state != SlotState::quarantined)
        return;
    refresh(slot, 0, at);
    evaluate(slot, at);
}

void Service::evaluate_all() {
    const auto at = registry_->time();
    for (const auto slot : registry_->used()) look_at(slot, at);
}

void Service::schedule(std::uint32_t slot, std::int64_t at) {
    auto& note = notes(slot);
    if (note.next_due != 0 && note.next_due <= at) return;  // asked earlier anyway, and then again
    note.next_due = at;
    due_.push_back({at, slot, registry_->control(slot).generation});
    std::push_heap(due_.begin(), due_.end(), std::greater<>());
    if (due_.size() > kDueAtLeast + 2 * registry_->used_count()) drop_stale_due();
}

// Of regions that are gone, or are asked earlier: with long timeouts they would pile up, as many as
// there are allocations in that time.
void Service::drop_stale_due() {
    std::erase_if(due_, [this](const Due& due) {
        return registry_->control(due.slot).generation != due.generation ||
               notes(due.slot).next_due != due.at;
    });
    std::make_heap(due_.begin(), due_.end(), std::greater<>());
}

bool Service::run_due(std::int64_t at) {
    Turn turn(kDueATurn);
    while (!due_.empty() && due_.front().at <= at) {
        if (!turn.take()) return true;
        std::pop_heap(due_.begin(), due_.end(), std::greater<>());
        const auto next = due_.back();
        due_.pop_back();
        if (registry_->control(next.slot).generation != next.generation) continue;
        notes(next.slot).next_due = 0;
        evaluate(next.slot, at);
    }
    return false;
}

bool Service::proceed(std::int64_t at) {
    const bool due = run_due(at);
    const bool look =
        full_look_.go_on(*registry_, kLookedATurn, [&](std::uint32_t slot) { look_at(slot, at); });
    const bool health = check_on(at);
    return due || look || health;
}

void Service::sweep(std::int64_t at) {
    counter_.sweep([&](std::uint32_t slot, std::uint64_t takes) {
        refresh(slot, takes, at);
        evaluate(slot, at);
    });
}

bool Service::tick(std::int64_t at) {
    expire_lock_waits();
    expire_allocations();
    allocator_.retry_removals();
    sweep(at);
    for (const auto client : counter_.newly_hostile()) {
        const auto& record = grants_.record(client);
        registry_->record({.kind = EventKind::client_hostile,
                           .pid = record.pid,
                           .uid = record.uid,
                           .text = "its lease page cannot be read"});
    }
    for (const auto& [uid, count] : refusals_.over(at)) {
        registry_->record({.kind = EventKind::more_refused, .uid = uid, .count = count});
        if (alarm) alarm(fmt::format("user {} was refused {} more times", uid, count));
    }
    auto waiting = std::move(unrecorded_);
    unrecorded_.clear();
    for (const auto slot : waiting) {
        notes(slot).pending_record = false;
        record_references(slot);
    }
    if (comes_due(at, config_.cleanup_interval_ms * 1000, next_full_look_)) full_look_.begin();
    if (comes_due(at, config_.health_check_interval_ms * 1000, next_health_look_))
        begin_health_check();
    settle_damaged_arenas();
    background(at);
    return proceed(at);
}

}  // namespace snakepit::shm
