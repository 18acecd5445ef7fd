// SPDX-License-Identifier: MIT
#include "regions/arena_maintenance.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/interval_elapsed.h"

namespace snakepit::shm {

namespace {

// Copied in one step of a defragmentation: a few milliseconds.
constexpr std::uint64_t kStepBytes = 16ULL << 20;
constexpr std::uint64_t kStepSlots = 2000;
// Microseconds after which a pass continues by itself when no client asks for its next step.
constexpr std::int64_t kAbandoned = 5'000'000;
// Worthwhile without being asked: a quarter of the span, and this much.
constexpr std::uint64_t kWorthBytes = 16ULL << 20;
constexpr std::uint64_t kZeroSoon = 16ULL << 20;  // dirty bytes that do not wait for the next tick

}  // namespace

DefragmentStep ArenaMaintenance::defragment() {
    auto step = run_step();
    step_asked_at_ = step.more ? boot_micros() : 0;
    return step;
}

DefragmentStep ArenaMaintenance::run_step() {
    DefragmentStep step;
    for (const auto slot : integrity_.rescues()) plan_.push_front(slot);
    if (plan_.empty()) plan();
    for (std::uint64_t checked = 0;
         !plan_.empty() && step.bytes < kStepBytes && checked < kStepSlots; ++checked) {
        const auto slot = plan_.front();
        plan_.pop_front();
        if (!mover_.movable(slot) || registry_.body(slot).arena == 0) continue;
        if (clients_.held(slot)) {
            ++step.in_use;
            continue;
        }
        if (!mover_.improve(slot)) continue;
        ++step.moved;
        step.bytes += registry_.fixed(slot).size;
    }
    step.more = !plan_.empty();
    if (!step.more) {
        const auto before = pool_.count();
        pool_.return_empty(registry_.time(), 0);
        step.arenas_returned = before - pool_.count();
    }
    return step;
}

// Regions of the arenas that are used least first, and in each the last one first: so the ends of
// arenas become free, and whole arenas do.
void ArenaMaintenance::plan() {
    std::unordered_map<std::uint64_t, std::size_t> rank;
    for (const auto tenant : pool_.tenants())
        for (const auto& arena : pool_.by_use(tenant)) rank.emplace(arena->id(), rank.size());
    struct Candidate {
        std::size_t rank;
        std::uint64_t offset;
        std::uint32_t slot;
    };
    std::vector<Candidate> candidates;
    for (const auto slot : registry_.used()) {
        const auto& body = registry_.body(slot);
        const auto found = rank.find(body.arena);
        if (body.arena != 0 && found != rank.end() && mover_.movable(slot))
            candidates.push_back({found->second, body.offset, slot});
    }
    std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
        return a.rank != b.rank ? a.rank < b.rank : a.offset > b.offset;
    });
    for (const auto& candidate : candidates) plan_.push_back(candidate.slot);
}

bool ArenaMaintenance::worthwhile() const {
    std::uint64_t span = 0, used = 0;
    for (const auto& arena : pool_.report()) {
        span += arena.high_water;
        used += arena.used;
    }
    return span - used >= kWorthBytes && span - used >= span / 4;
}

void ArenaMaintenance::run_slice(std::int64_t at) {
    if (stopping_) return;
    for (const auto slot : integrity_.rescues()) plan_.push_front(slot);
    if (!plan_.empty()) {
        // Whoever asks step by step learns what was moved: nothing moves in between, unless they
        // do not ask again.
        if (boot_micros() - step_asked_at_ > kAbandoned) (void)run_step();
    } else if (config_.enable_defragmentation &&
               interval_elapsed(at, config_.cleanup_interval_ms * 1000, next_defragmentation_)) {
        if (worthwhile()) (void)run_step();
    }
    pool_.return_empty(at, config_.grace_period_ms);
    clean_pages();
}

void ArenaMaintenance::clean_pages() {
    if (busy_ || stopping_) return;
    auto work = pool_.next_background();
    if (!work) return;
    busy_ = true;
    const auto job = std::make_shared<std::pair<PageWork, Status>>(std::move(*work), Status());
    state_.run_in_background([this, job] { job->second = pool_.perform(job->first); },
                             [this, job] {
                                 busy_ = false;
                                 pool_.finish_background(job->first, job->second.has_value());
                                 if (job->second) clean_pages();
                             });
}

void ArenaMaintenance::region_freed(const RegionId&, bool pooled) {
    if (pooled && pool_.dirty_bytes() >= kZeroSoon) clean_pages();
}

}  // namespace snakepit::shm
