// SPDX-License-Identifier: MIT
// The signal word of a region, which everybody who may map the region may change. It is apart from
// the region's bytes, so that a read-only, sealed or encrypted region has one as well.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "layout/registry_layout.h"

namespace snakepit::shm::layout {

// One cache line, so that programs that notify different regions do not disturb each other.
//
// counter : 62 | watched : 1 | sleepers : 1. The marks belong to the counter that they are stored
// with: a waiter adds its mark to the value that it compared, and notify() clears both marks in the
// step that changes the counter. So a waiter that a notifier does not see has not slept yet, and
// its value is no longer the one it sleeps on. Nobody counts waiters: one that died or gave up
// leaves a mark that costs the next notifier one system call, and no more after that.
struct alignas(64) SignalWord {
    static constexpr std::uint64_t kSleepers = 1;  // threads sleep on low()
    static constexpr std::uint64_t kWatched = 2;   // the manager waits for others
    static constexpr int kMarkBits = 2;

    std::atomic<std::uint64_t> value;
    std::atomic<std::uint64_t> tag;  // of the region; written by the manager

    static constexpr std::uint64_t counter(std::uint64_t value) { return value >> kMarkBits; }
    static constexpr std::uint64_t make(std::uint64_t counter) { return counter << kMarkBits; }

    std::uint64_t counter() const { return counter(value.load(std::memory_order_acquire)); }

    // Counts on and clears the marks. Returns the marks, which say whom to wake.
    std::uint64_t notify() {
        auto seen = value.load(std::memory_order_relaxed);
        // Release: a waiter that sees the counter sees what was written to the region before.
        while (!value.compare_exchange_weak(seen, make(counter(seen) + 1),
                                            std::memory_order_release, std::memory_order_relaxed)) {
        }
        return seen & (kSleepers | kWatched);
    }
    // Adds the mark; returns the value with it, to be compared and slept on.
    std::uint64_t mark(std::uint64_t which) {
        return value.fetch_or(which, std::memory_order_acquire) | which;
    }
    // Lets everybody who sleeps, or is about to, look again; wake_all() must follow.
    void unmark_sleepers() { value.fetch_and(~kSleepers, std::memory_order_release); }

    // The half of `value` with the marks, for platform/wait_word.h.
    const std::atomic<std::uint32_t>& low() const {
        const auto* half = reinterpret_cast<const std::atomic<std::uint32_t>*>(&value);
        return half[std::endian::native == std::endian::little ? 0 : 1];
    }
    static constexpr std::uint32_t low(std::uint64_t value) {
        return static_cast<std::uint32_t>(value);
    }
};
static_assert(sizeof(SignalWord) == 64);

// A user's file has room for a word of each slot; the manager reserves a page of it before it uses
// the first word there, and a client maps a window around the word it was told. The file of one
// region is a page with one word.
struct SignalOffsets {
    static constexpr std::uint64_t page = 4096;
    static constexpr std::uint64_t window = std::uint64_t{kChunkSlots} * sizeof(SignalWord);
    static constexpr std::uint64_t end = std::uint64_t{kMaxSlots} * sizeof(SignalWord);
    static constexpr std::uint64_t word(std::uint32_t slot) {
        return std::uint64_t{slot} * sizeof(SignalWord);
    }
};

}  // namespace snakepit::shm::layout
