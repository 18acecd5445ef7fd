// SPDX-License-Identifier: MIT
// The locks file: the manager's record of granted locks (mode 0600, never shared). Waiters are not
// recorded: they ask again.
#pragma once

#include <atomic>
#include <cstdint>

#include "layout/registry_layout.h"

namespace snakepit::shm::layout {

inline constexpr std::uint64_t kLocksMagic = 0x314B434C'4D485353ULL;  // "SSHMLCK1"
inline constexpr std::uint32_t kMaxLocks = 1U << 16;
// The file grows by this many records (one page).
inline constexpr std::uint32_t kChunkLocks = 64;

// The nesting depth of an owner, and the last request that changed it, in one word. So a killed
// manager has either completed a request and recorded it, or neither.
struct LockLevels {
    static constexpr std::uint16_t kDeepest = 0xFFFF;

    std::uint32_t request = 0;  // the client's own number for it; never 0
    std::uint16_t read = 0;
    std::uint16_t write = 0;

    static constexpr LockLevels decode(std::uint64_t word) {
        return {static_cast<std::uint32_t>(word), static_cast<std::uint16_t>(word >> 32),
                static_cast<std::uint16_t>(word >> 48)};
    }
    constexpr std::uint64_t encode() const {
        return std::uint64_t{request} | std::uint64_t{read} << 32 | std::uint64_t{write} << 48;
    }
    constexpr std::uint32_t depth() const { return std::uint32_t{read} + write; }
};

// client : 32 | writable : 1 | delegated : 1; 0: not delegated.
struct DelegationWord {
    static constexpr std::uint64_t make(std::uint32_t client, bool writable) {
        return std::uint64_t{client} << 32 | (writable ? 2U : 0U) | 1U;
    }
    static constexpr std::uint32_t client(std::uint64_t word) {
        return static_cast<std::uint32_t>(word >> 32);
    }
    static constexpr bool writable(std::uint64_t word) { return (word & 2) != 0; }
};

// One owner's lock on one region: the fields, then `serial` (which commits it); `serial` alone is
// cleared when it ends. While `delegation` is not 0 the lock is delegated to the client
// (layout/delegated_lock.h): its lease page has the levels, owner and sequence, and `levels`,
// `token` and `thread` are those of the grant with which it began.
struct alignas(64) LockRecord {
    std::atomic<std::uint64_t> serial;  // of the client; 0: unused
    std::atomic<std::uint64_t> levels;  // LockLevels
    std::uint64_t generation;           // of the region's slot
    std::uint64_t token;                // 63 random bits
    std::int64_t since;                 // microseconds since 1970 UTC
    std::uint32_t slot;
    std::uint32_t thread;                   // of that client: the requesting thread
    std::atomic<std::uint64_t> delegation;  // DelegationWord
    std::uint64_t base;                     // of the delegation's tokens
};
static_assert(sizeof(LockRecord) == 64 && kMaxLocks % kChunkLocks == 0);

// After the file's EpochHeader.
struct alignas(64) LocksState {
    std::atomic<std::uint32_t> frontier;  // records below it are reserved and may have been used
};

struct LocksOffsets {
    static constexpr std::uint64_t state = 64;
    static constexpr std::uint64_t records = 4096;
    static constexpr std::uint64_t record(std::uint32_t index) {
        return records + index * sizeof(LockRecord);
    }
    static constexpr std::uint64_t end = records + kMaxLocks * sizeof(LockRecord);
};
static_assert(sizeof(EpochHeader) <= LocksOffsets::state);

}  // namespace snakepit::shm::layout
