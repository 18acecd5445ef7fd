// SPDX-License-Identifier: MIT
// A region's lock that the manager has delegated to one client, and both halves of the protocol by
// which it is used and taken back. tests/model/delegation.pml is its checked model.
//
// While a lock is delegated no other owner has it or waits for it: the client locks and unlocks by
// compare-and-swap on `word`. The manager takes it back by setting `recalled`; from then on no
// correct client changes the word, so that its last value can be read at any time, also by the next
// manager.
//
// `base` tells delegations apart: the token of a hold is base + sequence. A client compares it with
// what it was told before it changes the word. It must be read after the word: the manager stores
// the base and then the word, and the sequence in the word never repeats within 2^21 locks, so a
// swap that succeeds proves that base and word belong together.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

namespace snakepit::shm::layout {

// owner : 32 | sequence : 21 | write : 5 | read : 4 | recalled : 1 | delegated : 1. Idle: no levels
// and no owner; the sequence stays. Levels as in LockLevels.
struct LockWord {
    static constexpr std::uint32_t kSequences = 1U << 21;
    static constexpr std::uint32_t kMostRead = 15, kMostWrite = 31;
    static constexpr std::uint64_t kDelegated = 1, kRecalled = 2;

    std::uint32_t owner = 0;
    std::uint32_t sequence = 0;
    std::uint32_t write = 0, read = 0;
    bool recalled = false, delegated = false;

    static constexpr LockWord decode(std::uint64_t word) {
        return {static_cast<std::uint32_t>(word >> 32),
                static_cast<std::uint32_t>(word >> 11) % kSequences,
                static_cast<std::uint32_t>(word >> 6) & kMostWrite,
                static_cast<std::uint32_t>(word >> 2) & kMostRead,
                (word & kRecalled) != 0,
                (word & kDelegated) != 0};
    }
    constexpr std::uint64_t encode() const {
        return std::uint64_t{owner} << 32 | std::uint64_t{sequence % kSequences} << 11 |
               std::uint64_t{write & kMostWrite} << 6 | std::uint64_t{read & kMostRead} << 2 |
               (recalled ? kRecalled : 0) | (delegated ? kDelegated : 0);
    }
    constexpr bool held() const { return delegated && read + write > 0; }
    constexpr std::uint32_t depth() const { return read + write; }
    // Whether such levels fit into the word.
    static constexpr bool fits(std::uint32_t read, std::uint32_t write) {
        return read <= kMostRead && write <= kMostWrite;
    }
};

// Of one slot in a lease page.
struct LeaseLock {
    static constexpr std::uint64_t kTokenMask = ~(std::uint64_t{1} << 63);  // 63 bits

    std::atomic<std::uint64_t> word;  // LockWord
    std::atomic<std::uint64_t> base;

    static constexpr std::uint64_t token(std::uint64_t base, std::uint32_t sequence) {
        return (base + sequence) & kTokenMask;
    }

    // ---- client

    // The lock's token; empty: nothing was changed, and the manager must be asked. `token_base` and
    // `writable`: what the manager said when it delegated the lock.
    [[gnu::always_inline]] std::optional<std::uint64_t> acquire(std::uint64_t token_base,
                                                                std::uint32_t owner, bool write,
                                                                bool writable) {
        // Acquire: the base is read after the word.
        auto seen = word.load(std::memory_order_acquire);
        for (;;) {
            if (base.load(std::memory_order_relaxed) != token_base) return std::nullopt;
            auto next = LockWord::decode(seen);
            if (!next.delegated || next.recalled || (write && !writable)) return std::nullopt;
            if (next.depth() == 0) {
                // The sequence has come round: a new base must come before tokens repeat.
                if (++next.sequence == LockWord::kSequences) return std::nullopt;
                next.owner = owner;
            } else if (next.owner != owner) {
                return std::nullopt;
            }
            // While an owner writes, a read request is another write level (Synchronizer::deepen).
            // Without a reference to one of the two, which would keep them out of registers.
            const bool as_write = write || next.write > 0;
            next.write += as_write ? 1 : 0;
            next.read += as_write ? 0 : 1;
            if (!LockWord::fits(next.read, next.write)) return std::nullopt;
            // Acquire: what follows sees everything that the last holder did under the lock.
            if (word.compare_exchange_weak(seen, next.encode(), std::memory_order_acquire))
                return token(token_base, next.sequence);
        }
    }

    enum class Release : std::uint8_t { released, ask };

    // One level. `ask`: nothing was changed; the lock is the manager's, or not held.
    Release release(std::uint64_t token_base, std::uint64_t held_token) {
        auto seen = word.load(std::memory_order_acquire);
        for (;;) {
            auto next = LockWord::decode(seen);
            if (base.load(std::memory_order_relaxed) != token_base || !next.held() ||
                next.recalled || token(token_base, next.sequence) != held_token)
                return Release::ask;
            const bool as_write = next.write > 0;
            next.write -= as_write ? 1 : 0;
            next.read -= as_write ? 0 : 1;
            if (next.depth() == 0) next.owner = 0;
            // Release: what was done under the lock comes before its end.
            if (word.compare_exchange_weak(seen, next.encode(), std::memory_order_release,
                                           std::memory_order_acquire))
                return Release::released;
        }
    }

    // ---- manager; also a client that forgets the delegation

    // The last value of the word. Once for all: later calls return the same.
    // Acquire and release: what a holder did under the lock comes before whatever the manager
    // decides next, and the reverse.
    LockWord recall() {
        return LockWord::decode(word.fetch_or(LockWord::kRecalled, std::memory_order_acq_rel));
    }

    // Delegates a lock that its client holds with `held_token` and these levels; returns the base.
    // The word must not be in use: it was recalled, or never delegated.
    std::uint64_t delegate(std::uint64_t held_token, std::uint32_t owner, std::uint32_t read,
                           std::uint32_t write) {
        // It continues: a client that stopped between reading and swapping must fail.
        const auto last = LockWord::decode(word.load(std::memory_order_relaxed)).sequence;
        const LockWord next{owner, (last + 1) % LockWord::kSequences, write, read, false, true};
        const auto fresh = (held_token - next.sequence) & kTokenMask;
        base.store(fresh, std::memory_order_relaxed);
        // Release: the base before the word, and what earlier holders did before both.
        word.store(next.encode(), std::memory_order_release);
        return fresh;
    }
};
static_assert(sizeof(LeaseLock) == 16);

}  // namespace snakepit::shm::layout
