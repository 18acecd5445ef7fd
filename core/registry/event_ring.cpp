// SPDX-License-Identifier: MIT
#include "registry/event_ring.h"

#include <algorithm>

#include "base/time.h"

namespace snakepit::shm {

using namespace layout;

namespace {

// The payload first, its number last: a kill between leaves a cell whose number is not head + 1.
// The fence orders the payload after the erased number, for copy_event().
void write_entry(EventEntry& cell, EventEntry entry) {
    const auto seq = entry.seq;
    entry.seq = 0;
    __atomic_store_n(&cell.seq, std::uint64_t{0}, __ATOMIC_RELAXED);
    std::atomic_thread_fence(std::memory_order_release);
    store_words(cell, entry);
    __atomic_store_n(&cell.seq, seq, __ATOMIC_RELEASE);
}

}  // namespace

void EventRing::append(EventEntry entry, std::atomic<std::uint64_t>* word, std::uint64_t control) {
    auto& state = view_.state();
    const auto seq = state.ring_head.load(std::memory_order_relaxed) + 1;
    entry.seq = seq;
    if (entry.time == 0) entry.time = now().micros;
    entry.control = control;
    if (seq > state.ring_committed.load(std::memory_order_acquire) + kRingEntries) {
        // The database was not writable for a whole ring of events: drop the oldest.
        const std::lock_guard lock(overwrite_);
        state.ring_oldest.store(seq - kRingEntries + 1, std::memory_order_release);
        state.events_lost.fetch_add(1, std::memory_order_relaxed);
        write_entry(view_.event(seq), entry);
    } else {
        write_entry(view_.event(seq), entry);
    }
    if (word) word->store(control, std::memory_order_release);
    state.ring_head.store(seq, std::memory_order_release);
}

const EventEntry* EventRing::entry(std::uint64_t seq) const {
    const auto& cell = view_.event(seq);
    return seq != 0 && cell.seq == seq && seq <= head() ? &cell : nullptr;
}

void EventRing::recover(std::uint32_t max_slots) {
    auto& state = view_.state();
    const auto next = state.ring_head.load(std::memory_order_relaxed) + 1;
    EventEntry entry;
    load_words(entry, view_.event(next));
    if (entry.seq != next) return;
    const std::atomic<std::uint64_t>* word = nullptr;
    if (entry.slot < max_slots) word = &view_.slot(entry.slot).control;
    if (entry.slot >= kClientSlots && entry.slot - kClientSlots < kMaxClients)
        word = &view_.client_serial(entry.slot - kClientSlots);
    const bool happened = word && word->load(std::memory_order_relaxed) == entry.control;
    if (happened) {
        state.ring_head.store(next, std::memory_order_release);
    } else {
        __atomic_store_n(&view_.event(next).seq, std::uint64_t{0}, __ATOMIC_RELEASE);
    }
}

std::size_t EventRing::read(std::uint64_t from, std::span<EventEntry> out) {
    const auto& state = view_.state();
    const std::lock_guard lock(overwrite_);
    const auto newest = state.ring_head.load(std::memory_order_acquire);
    const auto kept = newest < kRingEntries ? 1 : newest - kRingEntries + 1;
    auto seq = std::max({from, kept, state.ring_oldest.load(std::memory_order_acquire)});
    std::size_t count = 0;
    for (; seq <= newest && count < out.size(); ++seq) {
        if (copy_event(out[count], view_.event(seq), seq))
            ++count;
        else if (count > 0)
            break;  // overtaken; the entries copied so far are older and valid
    }
    return count;
}

void EventRing::set_committed(std::uint64_t seq) {
    view_.state().ring_committed.store(seq, std::memory_order_release);
}

}  // namespace snakepit::shm
