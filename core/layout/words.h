// SPDX-License-Identifier: MIT
// The two 64-bit words at the core of the protocol, and word-wise copies, by which one writer and
// many readers share plain structures without a data race.
//
// Atomics here are std::atomic inside structures that live in mapped files: lock-free, hence
// address-free ([atomics.lockfree]), hence valid between processes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace snakepit::shm::layout {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic<std::uint8_t>::is_always_lock_free);

inline constexpr int kGenerationBits = 40;
inline constexpr std::uint64_t kGenerationMask = (std::uint64_t{1} << kGenerationBits) - 1;

// ---------------------------------------------------------------- lease word
// generation : 40 | n : 22 | own : 1 | closing : 1. n = 0 not granted, 1 granted and idle, 1 + r: r
// references. Only the manager sets `closing`; while it is set no reference can be acquired.
// `own`: the slot is in the client's stash (LeasePage::claim). With n = 0 it is idle; else it is a
// region that no other client was granted. Only the manager sets it, and either side clears it.
struct LeaseWord {
    static constexpr std::uint64_t kOne = std::uint64_t{1} << kGenerationBits;
    static constexpr std::uint64_t kOwn = std::uint64_t{1} << 62;
    static constexpr std::uint64_t kClosing = std::uint64_t{1} << 63;
    static constexpr std::uint64_t kMaxN = (std::uint64_t{1} << 22) - 1;
    // No reference is acquired above this count, far below the carry into `closing`.
    static constexpr std::uint64_t kAcquireLimit = kMaxN - 1024;

    static constexpr std::uint64_t make(std::uint64_t generation, std::uint64_t n) {
        return (generation & kGenerationMask) | n << kGenerationBits;
    }
    static constexpr std::uint64_t generation(std::uint64_t word) { return word & kGenerationMask; }
    static constexpr std::uint64_t n(std::uint64_t word) {
        return (word & ~(kClosing | kOwn)) >> kGenerationBits;
    }
    static constexpr bool own(std::uint64_t word) { return (word & kOwn) != 0; }
    static constexpr bool closing(std::uint64_t word) { return (word & kClosing) != 0; }
};

// A slot in a stash is one region after the other: each has the next generation, and an id that
// differs from the last one's in the lowest 16 bits of its time, which are the generation's. At the
// end of these 16 bits the slot leaves the stash, so that no id is used twice.
inline constexpr std::uint64_t kStashMask = 0xFFFF;
constexpr std::uint64_t stashed_micros(std::uint64_t micros, std::uint64_t generation) {
    return (micros & ~kStashMask) | (generation & kStashMask);
}
constexpr bool same_stash(std::uint64_t generation, std::uint64_t other) {
    return (generation & ~kStashMask) == (other & ~kStashMask);
}

// --------------------------------------------------------------- control word
// generation : 40 | state : 4 | body : 1 | withdrawn : 1 | damaged : 1 | from_quarantine : 1 |
// orphan : 1. Storing it is the commit.
enum class SlotState : std::uint8_t {
    free = 0,
    reserved = 1,  // being allocated: recovery undoes it
    live = 2,
    quarantined = 3,  // kept for a while; no new mappings
    retiring = 4,     // leases are being withdrawn: returns to live or quarantined, or proceeds
    freeing = 5,      // point of no return: recovery completes it
    revoked = 6,      // revoked while held
    stashed = 7,      // memory that a client may turn into regions without asking
};

struct Control {
    std::uint64_t generation = 0;
    SlotState state = SlotState::free;
    std::uint8_t body = 0;         // which of the two bodies is current
    bool withdrawn = false;        // deallocated: it cannot be found or mapped any more
    bool damaged = false;          // failed its checks: never handed out
    bool from_quarantine = false;  // what `retiring` returns to
    bool orphan = false;           // its owner has exited
    bool inconsistent = false;     // a writer died in its lock: the contents may be half written

    static constexpr Control decode(std::uint64_t word) {
        return {word & kGenerationMask,
                static_cast<SlotState>(word >> 40 & 0xF),
                static_cast<std::uint8_t>(word >> 44 & 1),
                (word >> 45 & 1) != 0,
                (word >> 46 & 1) != 0,
                (word >> 47 & 1) != 0,
                (word >> 48 & 1) != 0,
                (word >> 49 & 1) != 0};
    }
    constexpr std::uint64_t encode() const {
        return (generation & kGenerationMask) | static_cast<std::uint64_t>(state) << 40 |
               static_cast<std::uint64_t>(body & 1) << 44 |
               static_cast<std::uint64_t>(withdrawn) << 45 |
               static_cast<std::uint64_t>(damaged) << 46 |
               static_cast<std::uint64_t>(from_quarantine) << 47 |
               static_cast<std::uint64_t>(orphan) << 48 |
               static_cast<std::uint64_t>(inconsistent) << 49;
    }
    // Holds a region's memory: listed, counted, adopted.
    constexpr bool occupied() const {
        return state == SlotState::live || state == SlotState::quarantined ||
               state == SlotState::retiring || state == SlotState::revoked;
    }
    friend constexpr bool operator==(const Control&, const Control&) = default;
};

// ------------------------------------------------------------ word-wise copies
// Relaxed: the caller orders them with the control word (see RegistryReader::read and
// RegionTable::write_body).
// May alias: the structures are not made of uint64_t, and the compiler must not assume so.
typedef std::uint64_t __attribute__((__may_alias__)) AliasWord;

template <typename T>
void store_words(T& shared, const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 8 == 0 && alignof(T) >= 8);
    auto* to = reinterpret_cast<AliasWord*>(&shared);
    const auto* from = reinterpret_cast<const AliasWord*>(&value);
    for (std::size_t i = 0; i < sizeof(T) / 8; ++i)
        __atomic_store_n(to + i, from[i], __ATOMIC_RELAXED);
}

template <typename T>
void load_words(T& value, const T& shared) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % 8 == 0 && alignof(T) >= 8);
    const auto* from = reinterpret_cast<const AliasWord*>(&shared);
    for (std::size_t i = 0; i < sizeof(T) / 8; ++i) {
        const std::uint64_t word = __atomic_load_n(from + i, __ATOMIC_RELAXED);
        std::memcpy(reinterpret_cast<std::byte*>(&value) + i * 8, &word, sizeof word);
    }
}

// FNV-1a over 64-bit words: detects accidents, not attacks (only the manager writes these).
template <typename T>
std::uint64_t checksum_of(const T& value) {
    static_assert(offsetof(T, checksum) == sizeof(T) - 8, "the checksum comes last");
    const auto* words = reinterpret_cast<const AliasWord*>(&value);
    std::uint64_t hash = 0xCBF29CE484222325ULL;
    for (std::size_t i = 0; i + 1 < sizeof(T) / 8; ++i)
        hash = ((hash ^ words[i]) * 0x100000001B3ULL) ^ (hash >> 29);
    return hash | 1;  // never 0, so that an empty page is never valid
}

}  // namespace snakepit::shm::layout
