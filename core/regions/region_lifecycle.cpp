// SPDX-License-Identifier: MIT
#include "regions/region_lifecycle.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "base/units.h"
#include "memory/canary.h"
#include "regions/time_budget.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::size_t kDeadlinesPerSlice = 256;
constexpr std::size_t kDeadlinesKept = 10'000;  // before stale ones are looked for

// Larger regions are overwritten in the background: zeros cost about 0.2 ms a MiB.
constexpr std::uint64_t kWipeHere = 4 << 20;

}  // namespace

RegionLifecycle::RegionLifecycle(ServiceState& state, ClientRegistry& clients,
                                 IntegrityCheck& integrity, AccessAudit& audit)
    : RegionPart(state),
      clients_(clients),
      integrity_(integrity),
      audit_(audit),
      references_(state, clients) {}

RegionLifecycle::SlotRuntime& RegionLifecycle::runtime(std::uint32_t slot) {
    if (slot >= runtime_.size()) runtime_.resize(slot + 1);
    return runtime_[slot];
}

IdleRegion RegionLifecycle::idle_facts(std::uint32_t slot) const {
    const auto word = registry_.control(slot);
    const auto& body = registry_.body(slot);
    IdleRegion facts;
    facts.policy = static_cast<CleanupPolicy>(body.cleanup_policy);
    facts.owner_end = owner_end_of(body);
    facts.withdrawn = word.withdrawn || word.state == SlotState::revoked;
    facts.damaged = word.damaged;
    facts.idle_since = registry_.stats(slot).last_accessed;
    facts.timeout_ms = body.timeout_ms;
    const auto& fixed = registry_.fixed(slot);
    facts.worker = fixed.worker;
    facts.session = fixed.session;
    if (const auto gone = owner_gone_.find(slot); gone != owner_gone_.end())
        facts.owner_gone_since = gone->second;
    return facts;
}

void RegionLifecycle::sweep(std::int64_t at) {
    counter_.sweep([&](std::uint32_t slot, std::uint64_t takes) {
        if (slot >= registry_.frontier()) return;
        if (registry_.control(slot).state == SlotState::stashed) {
            registry_.on_stashed(slot);
            stats_.counters.takes += takes;
            takes = 0;  // of regions that ended there
        }
        refresh(slot, takes, at);
        evaluate(slot, at);
    });
}

void RegionLifecycle::evaluate(std::uint32_t slot, std::int64_t at) {
    const auto word = registry_.control(slot);
    if (word.state == SlotState::quarantined) return evaluate_quarantined(slot, at);
    if (word.state != SlotState::live && word.state != SlotState::revoked) return;
    if (const auto again = audit_.settle(slot, at)) schedule(slot, *again);
    if (clients_.held(slot)) {
        if (word.withdrawn)
            counter_.close(slot, word.generation);
        else
            for (auto* handler : handlers_) handler->region_held(slot);
        return;
    }
    for (auto* handler : handlers_)
        if (handler->region_idle(slot)) return;
    const auto verdict = state_.cleaner.judge(idle_facts(slot), at, false);
    if (verdict.deadline) schedule(slot, *verdict.deadline);
    if (!verdict.due) return;
    const bool keep = config_.quarantine_automatic && config_.quarantine_ms > 0 &&
                      word.state == SlotState::live && !word.withdrawn;
    if (keep)
        (void)enter_quarantine(slot, verdict.reason, {}, at);  // false: held again
    else
        (void)retire(slot, verdict.reason, {});  // a failure is kept in stuck_
}

void RegionLifecycle::evaluate_quarantined(std::uint32_t slot, std::int64_t at) {
    const auto deadline = registry_.body(slot).deadline;
    if (!registry_.control(slot).withdrawn && at < deadline) return schedule(slot, deadline);
    (void)retire(slot, "its quarantine is over", {});  // a failure is kept in stuck_
}

void RegionLifecycle::released(std::uint32_t slot, std::uint64_t generation) {
    if (slot >= registry_.frontier() || registry_.control(slot).generation != generation) return;
    const auto at = registry_.time();
    refresh(slot, 0, at);
    evaluate(slot, at);
}

void RegionLifecycle::check_slot(std::uint32_t slot, std::int64_t at) {
    const auto state = registry_.control(slot).state;
    if (state == SlotState::freeing)
        (void)free(slot, "cleanup was tried again", {});  // a failure is kept in stuck_
    if (state != SlotState::live && state != SlotState::revoked && state != SlotState::quarantined)
        return;
    refresh(slot, 0, at);
    evaluate(slot, at);
}

void RegionLifecycle::owner_ended(std::uint32_t slot, std::int64_t at) {
    owner_gone_.emplace(slot, at);
    auto word = registry_.control(slot);
    const auto& fixed = registry_.fixed(slot);
    const auto& body = registry_.body(slot);
    const auto end = owner_end_of(body);
    if (!word.orphan) {
        word.orphan = true;
        registry_.commit(slot, word,
                         {.kind = EventKind::owner_gone,
                          .pid = fixed.owner_pid,
                          .uid = fixed.owner_uid,
                          .count = static_cast<std::uint32_t>(end),
                          .text = to_string(static_cast<CleanupPolicy>(body.cleanup_policy))});
    }
    // Also if a manager was killed between the two. What is in quarantine ends with that.
    const bool usable = word.state == SlotState::live || word.state == SlotState::retiring;
    if (end == OwnerEnd::withdraw && usable && !word.from_quarantine && !word.withdrawn)
        withdraw(slot, {.pid = fixed.owner_pid, .uid = fixed.owner_uid});
}

void RegionLifecycle::withdraw(std::uint32_t slot, Event by) {
    refresh(slot);  // the caller may just have given back what it held
    auto word = registry_.control(slot);
    word.withdrawn = true;
    by.kind = EventKind::withdrawn;
    by.count = registry_.stats(slot).references;
    registry_.commit(slot, word, by);
    synchronizer_.absorb(slot);  // no new locks either
}

void RegionLifecycle::schedule(std::uint32_t slot, std::int64_t at) {
    auto& own = runtime(slot);
    if (own.next != 0 && own.next <= at) return;  // evaluated earlier, and scheduled again then
    own.next = at;
    deadlines_.push_back({at, slot, registry_.control(slot).generation});
    std::push_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
    if (deadlines_.size() > kDeadlinesKept + 2 * registry_.used_count()) drop_stale_deadlines();
}

// Deadlines of regions that ended or have an earlier one: with long timeouts there would be as many
// as allocations in that time.
void RegionLifecycle::drop_stale_deadlines() {
    std::erase_if(deadlines_, [this](const Deadline& deadline) {
        return registry_.control(deadline.slot).generation != deadline.generation ||
               runtime(deadline.slot).next != deadline.at;
    });
    std::make_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
}

bool RegionLifecycle::run_deadlines(std::int64_t at) {
    TimeBudget budget(kDeadlinesPerSlice);
    while (!deadlines_.empty() && deadlines_.front().at <= at) {
        if (!budget.spend()) return true;
        std::pop_heap(deadlines_.begin(), deadlines_.end(), std::greater<>());
        const auto next = deadlines_.back();
        deadlines_.pop_back();
        if (registry_.control(next.slot).generation != next.generation) continue;
        runtime(next.slot).next = 0;
        evaluate(next.slot, at);
    }
    return false;
}

bool RegionLifecycle::withdraw_grants(std::uint32_t slot) {
    if (audit_.applies(slot)) (void)audit_.settle(slot, registry_.time(), true);
    const auto before = registry_.control(slot);
    auto word = before;
    word.from_quarantine = before.state == SlotState::quarantined;
    word.state = SlotState::retiring;
    registry_.store(slot, word);
    synchronizer_.absorb(slot);
    if (synchronizer_.locked(slot) || !counter_.reclaim(slot, word.generation)) {
        registry_.store(slot, before);
        if (before.withdrawn) counter_.close(slot, word.generation);
        refresh(slot);
        return false;
    }
    return true;
}

Result<bool> RegionLifecycle::retire(std::uint32_t slot, const std::string& reason,
                                     const Credentials& by) {
    if (!withdraw_grants(slot)) return false;
    SHM_TRY(free(slot, reason, by));
    return true;
}

// RETIRING, every idle grant withdrawn, and then body, state and event in one step: a manager that
// is killed before it leaves a live region, one killed after it a region that can be restored.
Result<bool> RegionLifecycle::enter_quarantine(std::uint32_t slot, const std::string& reason,
                                               const Credentials& by, std::int64_t at) {
    auto word = registry_.control(slot);
    if (!withdraw_grants(slot)) return false;
    auto body = registry_.body(slot);
    body.deadline = at + config_.quarantine_ms * 1000;
    registry_.write_other_body(slot, body, word.generation);
    word.state = SlotState::quarantined;
    word.body ^= 1U;
    registry_.commit(slot, word,
                     {.kind = EventKind::quarantined,
                      .pid = by.pid,
                      .uid = by.uid,
                      .value = body.actual_size,
                      .text = reason});
    schedule(slot, body.deadline);
    return true;
}

Status RegionLifecycle::free(std::uint32_t slot, const std::string& reason, const Credentials& by) {
    auto word = registry_.control(slot);
    if (word.state != SlotState::freeing) {
        if (!stuck_.contains(slot))
            integrity_.check_canary_of_ending(slot);  // while its memory is certain to be there
        word.state = SlotState::freeing;              // nobody has a word to take: no way back
        registry_.store(slot, word);
    }
    return wipe(slot, reason, by);
}

// Nobody can take it any more and it is certain to be freed: the last moment to overwrite it. Also
// for what a manager that was killed had begun to free.
Status RegionLifecycle::wipe(std::uint32_t slot, const std::string& reason, const Credentials& by) {
    if (wiping_.contains(slot)) return {};
    const Stopwatch watch;
    const auto& body = registry_.body(slot);
    // A slice is overwritten before its pages are handed out again anyway.
    // Memory that the kernel lets nobody write cannot be overwritten, nor mapped by anybody else.
    const auto level = static_cast<SecurityLevel>(body.security_level);
    const bool overwritten = config_.secure_cleanup || level != SecurityLevel::standard;
    if (!overwritten || body.arena != 0 || allocator_.immutable(slot))
        return free_slot(slot, reason, by, watch);
    if (body.sealed != 0)
        (void)state_.backend.set_read_only(allocator_.segment_name_of(slot), false);
    auto segment = allocator_.open(slot, AccessMode::read_write);
    if (!segment)
        return free_slot(slot, reason, by, watch);  // lost or exchanged: free_slot() says so
    const auto size = stored_bytes(registry_.fixed(slot).size, level);
    if (size < kWipeHere) {
        if (auto wiped = overwrite_with_zeros(*segment, body.offset, size); !wiped)
            return keep_stuck(slot, std::move(wiped).error());
        return free_slot(slot, reason, by, watch);
    }
    wiping_.insert(slot);
    auto handle = std::make_shared<Handle>(std::move(*segment));
    auto wiped = std::make_shared<Status>();
    state_.run_in_background(
        [=, offset = body.offset] { *wiped = overwrite_with_zeros(*handle, offset, size); },
        [=, this] {
            wiping_.erase(slot);
            if (*wiped)
                (void)free_slot(slot, reason, by, watch);  // a failure is kept in stuck_
            else
                (void)keep_stuck(slot, std::move(*wiped).error());
        });
    return {};
}

Status RegionLifecycle::free_slot(std::uint32_t slot, const std::string& reason,
                                  const Credentials& by, const Stopwatch& watch) {
    const auto& body = registry_.body(slot);
    const bool pooled = body.arena != 0;
    const auto id = registry_.id(slot);
    const auto uid = registry_.fixed(slot).owner_uid;
    const bool touched = !untouched(slot) || (body.flags & kHasCanary) != 0;
    clients_.remove_region(slot);
    auto released = allocator_.release(slot,
                                       {.kind = EventKind::freed,
                                        .pid = by.pid,
                                        .uid = by.uid,
                                        .value = body.actual_size,
                                        .text = reason},
                                       touched);
    if (!released) return keep_stuck(slot, std::move(released).error());
    stuck_.erase(slot);
    owner_gone_.erase(slot);
    runtime(slot) = {};
    references_.slot_freed(slot);
    integrity_.slot_freed(slot);
    state_.signals.freed(slot, id, uid);
    watch.stop(registry_.timed(Timed::cleanup));
    for (auto* handler : handlers_) handler->region_freed(id, pooled);
    return {};
}

// One event; `health` and `cleanup` show it for as long as it lasts.
tl::unexpected<Error> RegionLifecycle::keep_stuck(std::uint32_t slot, Error error) {
    if (error.remedy.empty())
        error.remedy = fmt::format(
            "it is tried again every {}; if it stays so, stop the manager, "
            "remove segment {} by hand and start it again",
            format_duration(config_.cleanup_interval_ms), allocator_.segment_name_of(slot));
    error = state_.errors.handle(std::move(error), {"cleanup", registry_.id(slot), {}, {}});
    const bool news = stuck_.insert_or_assign(slot, error).second;
    if (news)
        registry_.record(slot, {.kind = EventKind::cleanup_failed,
                                .result = error.code,
                                .value = registry_.body(slot).actual_size,
                                .text = error.message});
    return fail(std::move(error));
}

}  // namespace snakepit::shm
