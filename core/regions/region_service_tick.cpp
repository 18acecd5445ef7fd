// SPDX-License-Identifier: MIT
// What the service does by itself as time goes on, and how much of it at once.
#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/interval_elapsed.h"
#include "regions/region_service.h"
#include "regions/time_budget.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// What one turn of the service loop does of work that may be long; see TimeBudget for its time.
constexpr std::size_t kLookedATurn = 2'000;
constexpr std::size_t kDueATurn = 256;
constexpr std::size_t kDueAtLeast = 10'000;  // deadlines kept before it is looked which are stale

}  // namespace

void RegionService::check_slot(std::uint32_t slot, std::int64_t at) {
    const auto state = registry_->control(slot).state;
    if (state == SlotState::freeing)
        (void)finish(slot, "cleanup was tried again", {});  // a failure is kept in stuck_
    if (state != SlotState::live && state != SlotState::revoked && state != SlotState::quarantined)
        return;
    refresh(slot, 0, at);
    evaluate(slot, at);
}

void RegionService::evaluate_all() {
    const auto at = registry_->time();
    for (const auto slot : registry_->used()) check_slot(slot, at);
}

void RegionService::schedule(std::uint32_t slot, std::int64_t at) {
    auto& note = runtime(slot);
    if (note.next_due != 0 && note.next_due <= at) return;  // asked earlier anyway, and then again
    note.next_due = at;
    deadlines_.push_back({at, slot, registry_->control(slot).generation});
    std::push_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
    if (deadlines_.size() > kDueAtLeast + 2 * registry_->used_count()) drop_stale_due();
}

// Of regions that are gone, or are asked earlier: with long timeouts they would pile up, as many as
// there are allocations in that time.
void RegionService::drop_stale_due() {
    std::erase_if(deadlines_, [this](const Deadline& due) {
        return registry_->control(due.slot).generation != due.generation ||
               runtime(due.slot).next_due != due.at;
    });
    std::make_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
}

bool RegionService::run_due(std::int64_t at) {
    TimeBudget budget(kDueATurn);
    while (!deadlines_.empty() && deadlines_.front().at <= at) {
        if (!budget.spend()) return true;
        std::pop_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
        const auto next = deadlines_.back();
        deadlines_.pop_back();
        if (registry_->control(next.slot).generation != next.generation) continue;
        runtime(next.slot).next_due = 0;
        evaluate(next.slot, at);
    }
    return false;
}

bool RegionService::proceed(std::int64_t at) {
    const bool due = run_due(at);
    const bool look = full_scan_.go_on(*registry_, kLookedATurn,
                                       [&](std::uint32_t slot) { check_slot(slot, at); });
    const bool health = check_on(at);
    return due || look || health;
}

void RegionService::sweep(std::int64_t at) {
    counter_.sweep([&](std::uint32_t slot, std::uint64_t takes) {
        refresh(slot, takes, at);
        evaluate(slot, at);
    });
}

bool RegionService::tick(std::int64_t at) {
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
        runtime(slot).pending_record = false;
        record_references(slot);
    }
    if (interval_elapsed(at, config_.cleanup_interval_ms * 1000, next_full_scan_))
        full_scan_.begin();
    if (interval_elapsed(at, config_.health_check_interval_ms * 1000, next_health_scan_))
        begin_health_check();
    settle_damaged_arenas();
    background(at);
    return proceed(at);
}

}  // namespace snakepit::shm
