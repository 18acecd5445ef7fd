// SPDX-License-Identifier: MIT
#include "regions/region_mover.h"

#include <utility>

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::uint64_t kMoveHere = 4ULL << 20;  // bytes; larger regions are copied in background
constexpr std::int64_t kMoveAgain = 1'000'000;   // microseconds after an attempt that failed

}  // namespace

bool RegionMover::movable(std::uint32_t slot) const {
    const auto word = registry_.control(slot);
    return word.state == SlotState::live && !word.withdrawn && !word.damaged &&
           !moving_.contains(slot);
}

bool RegionMover::move(std::uint32_t slot, PendingAllocation to, std::string reason) {
    const auto before = registry_.control(slot);
    auto from = allocator_.current(slot);
    if (!from || !lifecycle_.withdraw_grants(slot)) {
        allocator_.undo(to, false);
        return false;
    }
    moving_[slot];
    const auto job = std::make_shared<Move>(
        Move{slot, before, std::move(*from), std::move(to), std::move(reason), {}, {}});
    const auto work = [this, job] {
        job->made = allocator_.make(job->to);
        if (job->made) job->copied = allocator_.copy(job->from, job->to);
    };
    if (job->from.size <= kMoveHere && !job->to.slow()) {
        work();
        finish(job);
    } else {
        state_.run_in_background(work, [this, job] { finish(job); });
    }
    return true;
}

void RegionMover::finish(const std::shared_ptr<Move>& move) {
    const auto slot = move->slot;
    // As it is now: its owner may have ended meanwhile.
    auto next = registry_.control(slot);
    next.state = move->before.state;
    auto done = move->made && move->copied
                    ? Status()
                    : fail(move->made ? move->copied.error() : move->made.error());
    if (done) {
        registry_.write_other_body(slot, allocator_.moved_body(slot, move->to),
                                   next.generation + 1);
        if (move->to.durable && !move->description) return save_description(move);
        done = move->saved;
    }
    if (done) {
        ++next.generation;
        next.body ^= 1U;
        registry_.commit(
            slot, next,
            {.kind = move->to.sealed && !move->from.sealed ? EventKind::sealed : EventKind::moved,
             .value = registry_.fixed(slot).size,
             .text = move->reason});
        allocator_.moved(move->from, move->to);
    } else {
        (void)errors_.handle(done.error(), {move->reason, registry_.id(slot), {}, {}});
        allocator_.undo(move->to, move->made.has_value());
        registry_.store(slot, next);
        registry_.record(slot, {.kind = EventKind::cleanup,
                                .result = done.error().code,
                                .text = done.error().message});
        // Not tried again: the mapping has lost its memory and shows zeros now.
        if (done.error().code == ErrorCode::corruption_detected)
            integrity_.damage(slot, done.error().message);
    }
    settle(slot, done.has_value());
}

void RegionMover::save_description(const std::shared_ptr<Move>& move) {
    move->description = std::make_shared<const DurableRecord>(
        DurableStore::describe(registry_.fixed(move->slot), registry_.other_body(move->slot),
                               registry_.metadata(move->slot), registry_.name(move->slot)));
    state_.run_in_background(
        [this, move] { move->saved = allocator_.durable.save(*move->description); },
        [this, move] { finish(move); });
}

// What could not move is not tried again at once: the reason, mostly a lack of room, still stands.
void RegionMover::settle(std::uint32_t slot, bool moved) {
    const auto waiting = moving_.extract(slot);
    lifecycle_.unschedule(slot);
    const auto at = registry_.time();
    lifecycle_.refresh(slot, 0, at);
    if (moved)
        lifecycle_.evaluate(slot, at);
    else
        lifecycle_.schedule(slot, at + kMoveAgain);
    if (waiting)
        for (const auto& then : waiting.mapped()) then();
}

bool RegionMover::moving(const RegionId& id) const {
    if (moving_.empty()) return false;
    const auto slot = registry_.find(id);
    return slot && moving_.contains(*slot);
}

void RegionMover::when_settled(const RegionId& id, std::function<void()> then) {
    moving_.at(*registry_.find(id)).push_back(std::move(then));
}

bool RegionMover::improve(std::uint32_t slot) {
    if (allocator_.pool.damaged(registry_.body(slot).arena)) return region_idle(slot);
    auto to = allocator_.begin_move(slot);
    return to && move(slot, std::move(*to), "defragmented");
}

bool RegionMover::region_idle(std::uint32_t slot) {
    integrity_.check_damaged_arenas();  // recorded before a region moves
    const auto arena = registry_.body(slot).arena;
    if (arena == 0 || !allocator_.pool.damaged(arena) || !movable(slot)) return false;
    auto to = allocator_.begin_move(slot);
    return to && move(slot, std::move(*to), "rescued from a damaged arena");
}

}  // namespace snakepit::shm
