// SPDX-License-Identifier: MIT
// Regions that move to another place: together, so that arenas become empty, or into a segment of
// their own that nobody can write to. And what is done to free memory beside the operations.
#include <algorithm>

#include <fmt/format.h>

#include "manager/comes_due.h"
#include "manager/service.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr std::uint64_t kMoveHere = 4ULL << 20;  // bytes; larger regions are copied elsewhere
// Copied in one step of a defragmentation: a few milliseconds, then the others get their turn.
constexpr std::uint64_t kStepBytes = 16ULL << 20;
constexpr std::uint64_t kStepSlots = 2000;
// Microseconds after which a pass whose next step nobody asks for goes on by itself.
constexpr std::int64_t kAbandoned = 5'000'000;
constexpr std::int64_t kMoveAgain = 1'000'000;  // microseconds after an attempt that failed
// Worth the trouble on our own: a quarter of the span, and this much.
constexpr std::uint64_t kWorthBytes = 16ULL << 20;
constexpr std::uint64_t kZeroSoon = 16ULL << 20;  // dirty bytes that do not wait for the next tick

}  // namespace

// ------------------------------------------------------------------- moving

bool Service::movable(std::uint32_t slot) const {
    const auto word = registry_->control(slot);
    return word.state == SlotState::live && !word.withdrawn && !word.damaged &&
           !moving_.contains(slot);
}

// As in "retire": RETIRING, every idle grant withdrawn, and back if somebody holds it. Until the
// commit in finish_move the old place counts; a manager killed before it finds the region there.
bool Service::move(std::uint32_t slot, PendingAllocation to, std::string reason) {
    const auto before = registry_->control(slot);
    auto from = allocator_.current(slot);
    if (!from || !withdraw_grants(slot)) {
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
        finish_move(job);
    } else {
        run_long_(work, [this, job] { finish_move(job); });
    }
    return true;
}

void Service::finish_move(const std::shared_ptr<Move>& move) {
    const auto slot = move->slot;
    // What it became meanwhile: its owner may have gone.
    auto next = registry_->control(slot);
    next.state = move->before.state;
    auto done = move->made && move->copied
                    ? Status()
                    : fail(move->made ? move->copied.error() : move->made.error());
    if (done) {
        registry_->write_other_body(slot, allocator_.moved_body(slot, move->to),
                                    next.generation + 1);
        if (move->to.durable)
            done = allocator_.durable.save(registry_->fixed(slot), registry_->other_body(slot),
                                           registry_->metadata(slot));
    }
    if (done) {
        ++next.generation;
        next.body ^= 1U;
        registry_->commit(
            slot, next,
            {.kind = move->to.sealed && !move->from.sealed ? EventKind::sealed : EventKind::moved,
             .value = registry_->fixed(slot).size,
             .text = move->reason});
        allocator_.moved(move->from, move->to);
    } else {
        (void)errors_.handle(done.error(), {move->reason, registry_->id(slot), {}, {}});
        allocator_.undo(move->to, move->made.has_value());
        registry_->store(slot, next);
        registry_->record(slot, {.kind = EventKind::cleanup,
                                 .result = done.error().code,
                                 .text = done.error().message});
        // Not once more: where the mapping has no memory any more we now have zeros of our own.
        if (done.error().code == ErrorCode::corruption_detected) damage(slot, done.error().message);
    }
    settle(slot, done.has_value());
}

// What could not move is not tried again at once: the reason, mostly a lack of room, still stands.
void Service::settle(std::uint32_t slot, bool moved) {
    const auto waiting = moving_.extract(slot);
    notes(slot).next_due = 0;
    const auto at = registry_->time();
    refresh(slot, 0, at);
    if (moved)
        evaluate(slot, at);
    else
        schedule(slot, at + kMoveAgain);
    if (waiting)
        for (const auto& then : waiting.mapped()) then();
}

bool Service::moving(const RegionId& id) const {
    if (moving_.empty()) return false;
    const auto slot = registry_->find(id);
    return slot && moving_.contains(*slot);
}

void Service::when_settled(const RegionId& id, std::function<void()> then) {
    moving_.at(*registry_->find(id)).push_back(std::move(then));
}

// ------------------------------------------------------------------ sealing

Status Service::writable(std::uint32_t slot) const {
    const auto& body = registry_->body(slot);
    if (body.sealed != 0)
        return fail(ErrorCode::read_only, fmt::format("{} is sealed", registry_->id(slot).str()),
                    "map it read-only");
    if ((body.flags & kSealPending) != 0)
        return fail(ErrorCode::read_only,
                    fmt::format("{} is being sealed", registry_->id(slot).str()),
                    "map it read-only");
    return {};
}

void Service::seal(const Caller& caller, const RegionId& id,
                   std::function<void(Result<bool>)> done) {
    const auto slot = [&]() -> Result<std::uint32_t> {
        SHM_ASSIGN(const auto found, usable(caller, id, Operation::manage));
        SHM_TRY(mappable(found));
        return found;
    }();
    if (!slot) return done(fail(refuse(caller, slot.error(), "seal", id)));
    auto body = registry_->body(*slot);
    if (body.sealed == 0 && (body.flags & kSealPending) == 0) {
        body.flags |= kSealPending;
        auto word = registry_->control(*slot);
        registry_->write_other_body(*slot, body, word.generation);
        word.body ^= 1U;
        registry_->commit(*slot, word,
                          {.kind = EventKind::seal_pending,
                           .pid = caller.credentials.pid,
                           .uid = caller.credentials.uid,
                           .count = registry_->stats(*slot).references,
                           .text = caller.process});
    }
    evaluate(*slot, registry_->time());
    const auto answer = [this, id, done] {
        const auto there = registry_->find(id);
        done(there && registry_->body(*there).sealed != 0);
    };
    if (moving(id)) return when_settled(id, answer);
    answer();
}

bool Service::try_seal(std::uint32_t slot) {
    if ((registry_->body(slot).flags & kSealPending) == 0 || !movable(slot)) return false;
    return move(slot, allocator_.begin_seal(slot), "sealed");
}

// ---------------------------------------------------------- defragmentation

// Regions of the arenas that are used least first, and in each the last one first: so the ends of
// arenas become free, and whole arenas do.
void Service::plan_defragmentation() {
    std::unordered_map<std::uint64_t, std::size_t> rank;
    for (const auto tenant : allocator_.pool.tenants())
        for (const auto& arena : allocator_.pool.by_use(tenant))
            rank.emplace(arena->id(), rank.size());
    struct Candidate {
        std::size_t rank;
        std::uint64_t offset;
        std::uint32_t slot;
    };
    std::vector<Candidate> candidates;
    for (const auto slot : registry_->used()) {
        const auto& body = registry_->body(slot);
        const auto found = rank.find(body.arena);
        if (body.arena != 0 && found != rank.end() && movable(slot))
            candidates.push_back({found->second, body.offset, slot});
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return a.rank != b.rank ? a.rank < b.rank : a.offset > b.offset;
    });
    for (const auto& candidate : candidates) plan_.push_back(candidate.slot);
}

bool Service::improve(std::uint32_t slot) {
    auto to = allocator_.begin_move(slot);
    return to && move(slot, std::move(*to), "defragmented");
}

DefragmentStep Service::defragment() {
    auto step = defragment_a_step();
    step_asked_at_ = step.more ? boot_micros() : 0;
    return step;
}

DefragmentStep Service::defragment_a_step() {
    DefragmentStep step;
    if (plan_.empty()) plan_defragmentation();
    for (std::uint64_t looked = 0; !plan_.empty() && step.bytes < kStepBytes && looked < kStepSlots;
         ++looked) {
        const auto slot = plan_.front();
        plan_.pop_front();
        if (!movable(slot) || registry_->body(slot).arena == 0) continue;
        if (held(slot)) {
            ++step.in_use;
            continue;
        }
        if (!(allocator_.pool.damaged(registry_->body(slot).arena) ? rescue(slot) : improve(slot)))
            continue;
        ++step.moved;
        step.bytes += registry_->fixed(slot).size;
    }
    step.more = !plan_.empty();
    if (!step.more) {
        const auto before = allocator_.pool.count();
        allocator_.pool.return_empty(registry_->time(), 0);
        step.arenas_returned = before - allocator_.pool.count();
    }
    return step;
}

bool Service::worth_defragmenting() const {
    std::uint64_t span = 0, used = 0;
    for (const auto& arena : allocator_.pool.report()) {
        span += arena.high_water;
        used += arena.used;
    }
    return span - used >= kWorthBytes && span - used >= span / 4;
}

// --------------------------------------------------------------- background

// One piece of work at a time, on the other thread; the next when it is done.
void Service::background(std::int64_t at) {
    if (stopping_) return;
    if (!plan_.empty()) {
        // Whoever asks step by step is told what was moved: it is not done behind their back,
        // unless they do not come again.
        if (boot_micros() - step_asked_at_ > kAbandoned) (void)defragment_a_step();
    } else if (config_.enable_defragmentation &&
               comes_due(at, config_.cleanup_interval_ms * 1000, next_defragmentation_)) {
        if (worth_defragmenting()) (void)defragment_a_step();
    }
    allocator_.pool.return_empty(at, config_.grace_period_ms);
    clean_pages();
}

void Service::clean_pages() {
    if (background_busy_ || stopping_) return;
    auto work = allocator_.pool.next_background();
    if (!work) return;
    background_busy_ = true;
    const auto job = std::make_shared<std::pair<PageWork, Status>>(std::move(*work), Status());
    run_long_([this, job] { job->second = allocator_.pool.perform(job->first); },
              [this, job] {
                  background_busy_ = false;
                  allocator_.pool.finish_background(job->first, job->second.has_value());
                  if (job->second) clean_pages();
              });
}

void Service::freed_pages() {
    if (allocator_.pool.dirty_bytes() >= kZeroSoon) clean_pages();
}

}  // namespace snakepit::shm
