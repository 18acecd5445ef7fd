// SPDX-License-Identifier: MIT
// The page one client shares with the manager, and the client's half of the lease protocol.
// tests/model/lease.pml is its checked model.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "layout/delegated_lock.h"
#include "layout/histogram.h"
#include "layout/registry_layout.h"
#include "layout/words.h"

namespace snakepit::shm::layout {

inline constexpr std::uint64_t kLeaseMagic = 0x3145534C'4D485353ULL;  // "SSHMLSE1"
inline constexpr std::uint32_t kGroupSlots = 64;                      // slots behind one dirty mark
inline constexpr std::uint32_t kGroups = kMaxSlots / kGroupSlots;
inline constexpr std::uint32_t kBlocks = kGroups / 64;  // groups behind one block mark

struct alignas(64) LeaseHeader {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t client;  // index of the client
    std::uint64_t serial;
    std::uint64_t epoch;  // of the registry the slots belong to
};

// Times of a client's own map and unmap calls: counters that only grow, modulo 2^32. Buckets as in
// histogram.h up to 4 ms; longer times are in the last one.
struct alignas(64) LeaseTimes {
    static constexpr int kBits = 22;
    static constexpr std::uint32_t kBuckets =
        kOctaveBuckets + (kBits - kOctaveBits) * kOctaveBuckets;
    // One map in this many is timed, with its unmap.
    static constexpr std::uint32_t kEvery = 256;

    std::atomic<std::uint32_t> samples;  // of all of them
    std::array<std::atomic<std::uint32_t>, kBuckets> map, unmap;

    // Any thread of the client.
    void add(std::array<std::atomic<std::uint32_t>, kBuckets>& counts, std::uint64_t nanos) {
        const auto bucket = bucket_of(nanos);
        counts[bucket < kBuckets ? bucket : kBuckets - 1].fetch_add(1, std::memory_order_relaxed);
        samples.fetch_add(1, std::memory_order_relaxed);
    }
};

// Byte offsets in the page. It grows chunk by chunk (kChunkSlots slots: their words, their
// acquisitions, their locks); neither side touches a chunk before something in it was granted, nor
// its locks before one of them was delegated.
struct LeaseOffsets {
    static constexpr std::uint64_t header = 0;
    static constexpr std::uint64_t wake = 64;
    static constexpr std::uint64_t signals = 128;
    static constexpr std::uint64_t blocks = 1024;  // kBlocks bytes
    static constexpr std::uint64_t times = 1280;
    static constexpr std::uint64_t groups = 4096;  // kGroups bytes
    static constexpr std::uint64_t chunks = groups + kGroups;
    static constexpr std::uint64_t acquisitions_part =
        std::uint64_t{kChunkSlots} * 8;  // of a chunk
    static constexpr std::uint64_t locks_part = acquisitions_part + std::uint64_t{kChunkSlots} * 4;
    static constexpr std::uint64_t locks_bytes = std::uint64_t{kChunkSlots} * sizeof(LeaseLock);
    static constexpr std::uint64_t chunk_bytes = locks_part + locks_bytes;

    static constexpr std::uint64_t chunk(std::uint32_t slot) {
        return chunks + slot / kChunkSlots * chunk_bytes;
    }
    static constexpr std::uint64_t word(std::uint32_t slot) {
        return chunk(slot) + std::uint64_t{slot % kChunkSlots} * 8;
    }
    static constexpr std::uint64_t acquisitions(std::uint32_t slot) {
        return chunk(slot) + acquisitions_part + std::uint64_t{slot % kChunkSlots} * 4;
    }
    static constexpr std::uint64_t lock(std::uint32_t slot) {
        return chunk(slot) + locks_part + slot % kChunkSlots * sizeof(LeaseLock);
    }
    static constexpr std::uint64_t end = chunks + kMaxSlots / kChunkSlots * chunk_bytes;
};
static_assert(sizeof(LeaseHeader) == 64 && kBlocks == 256 && LeaseOffsets::chunks % 4096 == 0 &&
              LeaseOffsets::locks_part % 4096 == 0 && LeaseOffsets::chunk_bytes % 4096 == 0);
static_assert(LeaseOffsets::blocks + kBlocks == LeaseOffsets::times &&
              LeaseOffsets::times + sizeof(LeaseTimes) <= LeaseOffsets::groups);

class LeasePage {
  public:
    LeasePage() = default;
    explicit LeasePage(std::byte* base) : base_(base) {}

    bool valid() const { return base_ != nullptr; }
    LeaseHeader& header() const { return at<LeaseHeader>(LeaseOffsets::header); }
    // Counts the manager's decisions for this client's waiting threads, which sleep on this word
    // (platform/wait_word.h).
    std::atomic<std::uint32_t>& wake() const {
        return at<std::atomic<std::uint32_t>>(LeaseOffsets::wake);
    }
    // Changed by a manager that may have signal words elsewhere than the client knows.
    std::atomic<std::uint32_t>& signals() const {
        return at<std::atomic<std::uint32_t>>(LeaseOffsets::signals);
    }
    LeaseTimes& times() const { return at<LeaseTimes>(LeaseOffsets::times); }
    std::atomic<std::uint64_t>& word(std::uint32_t slot) const {
        return at<std::atomic<std::uint64_t>>(LeaseOffsets::word(slot));
    }
    std::atomic<std::uint32_t>& acquisitions(std::uint32_t slot) const {
        return at<std::atomic<std::uint32_t>>(LeaseOffsets::acquisitions(slot));
    }
    LeaseLock& lock(std::uint32_t slot) const { return at<LeaseLock>(LeaseOffsets::lock(slot)); }
    std::atomic<std::uint8_t>& group(std::uint32_t index) const {
        return (&at<std::atomic<std::uint8_t>>(LeaseOffsets::groups))[index];
    }
    std::atomic<std::uint8_t>& block(std::uint32_t index) const {
        return (&at<std::atomic<std::uint8_t>>(LeaseOffsets::blocks))[index];
    }

    enum class Acquire : std::uint8_t { acquired, not_granted, closing, full };

    // Client: acquire one reference to (slot, generation). Anything but `acquired` changed nothing.
    Acquire acquire(std::uint32_t slot, std::uint64_t generation) const {
        const auto outcome = pin(slot, generation);
        if (outcome != Acquire::acquired) return outcome;
        acquisitions(slot).fetch_add(1, std::memory_order_relaxed);
        mark(slot);
        return outcome;
    }
    // The same for a moment: it is not counted, and the manager is told when it is released.
    Acquire pin(std::uint32_t slot, std::uint64_t generation) const {
        auto& shared = word(slot);
        auto seen = shared.load(std::memory_order_relaxed);
        do {
            if (LeaseWord::generation(seen) != generation || LeaseWord::n(seen) == 0)
                return Acquire::not_granted;
            if (LeaseWord::closing(seen)) return Acquire::closing;
            if (LeaseWord::n(seen) >= LeaseWord::kAcquireLimit) return Acquire::full;
            // Acquire: what follows may read the region, and must see everything written to it
            // before the manager granted it.
        } while (!shared.compare_exchange_weak(
            seen, seen + LeaseWord::kOne, std::memory_order_acquire, std::memory_order_relaxed));
        return Acquire::acquired;
    }

    // ---- a slot in this client's stash; tests/model/stash.pml is the checked model
    // Client: turns an idle slot into a region with one reference. Acquire: its memory is as the
    // manager, or this client's last region there, left it.
    bool claim(std::uint32_t slot, std::uint64_t generation) const {
        auto expected = LeaseWord::make(generation, 0) | LeaseWord::kOwn;
        const auto claimed = LeaseWord::make(generation, 2) | LeaseWord::kOwn;
        if (!word(slot).compare_exchange_strong(expected, claimed, std::memory_order_acquire,
                                                std::memory_order_relaxed))
            return false;
        acquisitions(slot).fetch_add(1, std::memory_order_relaxed);
        mark(slot);
        return true;
    }
    // Client: ends a region of its stash that has one reference and that no other client was
    // granted. The slot is idle again, with the next generation. False: nothing changed, and the
    // manager must be asked.
    bool recycle(std::uint32_t slot, std::uint64_t generation) const {
        if ((generation & kStashMask) == kStashMask) return false;
        auto expected = LeaseWord::make(generation, 2) | LeaseWord::kOwn;
        const auto idle = LeaseWord::make(generation + 1, 0) | LeaseWord::kOwn;
        if (!word(slot).compare_exchange_strong(expected, idle, std::memory_order_release,
                                                std::memory_order_relaxed))
            return false;
        mark(slot);
        return true;
    }
    // Client: releases the reference from claim(), and leaves the region to the manager. False:
    // there was none, and nothing changed.
    bool leave(std::uint32_t slot, std::uint64_t generation) const {
        auto& shared = word(slot);
        auto seen = shared.load(std::memory_order_relaxed);
        do {
            if (LeaseWord::generation(seen) != generation || LeaseWord::n(seen) < 2) return false;
        } while (!shared.compare_exchange_weak(seen, (seen - LeaseWord::kOne) & ~LeaseWord::kOwn,
                                               std::memory_order_release,
                                               std::memory_order_relaxed));
        mark(slot);
        return true;
    }

    enum class Release : std::uint8_t { not_held, released, last, last_of_closing };

    // Client: release one reference. `not_held` changed nothing; `last`: it was our last reference
    // to the region; `last_of_closing`: also, and the region is being deallocated. Without
    // `keep_grant` releasing the last one drops the grant: the next acquire must ask the manager.
    Release release(std::uint32_t slot, std::uint64_t generation, bool keep_grant = true) const {
        auto& shared = word(slot);
        auto seen = shared.load(std::memory_order_relaxed);
        std::uint64_t next = 0;
        do {
            if (LeaseWord::generation(seen) != generation || LeaseWord::n(seen) < 2)
                return Release::not_held;
            const bool ends = !keep_grant && LeaseWord::n(seen) == 2;
            next = ends ? LeaseWord::make(generation, 0) : seen - LeaseWord::kOne;
            // Release: our accesses to the region come before the manager can see it unheld.
        } while (!shared.compare_exchange_weak(seen, next, std::memory_order_release,
                                               std::memory_order_relaxed));
        mark(slot);
        if (LeaseWord::n(seen) > 2) return Release::released;
        return LeaseWord::closing(seen) ? Release::last_of_closing : Release::last;
    }

    // Dirty marks: unconditional release stores, lowest level first. The manager exchanges them
    // from the top down *before* it reads words (ReferenceCounter::sweep); so it reads every change
    // whose marks it cleared, and a change that it did not read keeps its mark. A group has a byte,
    // not a bit, because a plain store then needs no read-modify-write.
    void mark(std::uint32_t slot) const {
        const auto index = slot / kGroupSlots;
        group(index).store(1, std::memory_order_release);
        block(index / 64).store(1, std::memory_order_release);
    }

  private:
    template <typename T>
    T& at(std::uint64_t offset) const {
        return *reinterpret_cast<T*>(base_ + offset);
    }
    std::byte* base_ = nullptr;
};

}  // namespace snakepit::shm::layout
