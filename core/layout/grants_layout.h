// SPDX-License-Identifier: MIT
// The grants file: the manager's record of what was granted to which client (mode 0600, never
// shared). Recovery trusts it and not the lease pages, which clients can write.
#pragma once

#include <atomic>
#include <cstdint>

#include "layout/registry_layout.h"

namespace snakepit::shm::layout {

inline constexpr std::uint64_t kGrantsMagic = 0x3154524E'4D485353ULL;  // "SSHMNRT1"

// A client, in the order of its life: the fields, then `serial` (which commits it).
struct alignas(64) ClientRecord {
    std::atomic<std::uint64_t> serial;  // 0: unused
    std::uint8_t token[16];
    std::uint64_t page;  // names the file leases/<16 hexadecimal digits>
    std::uint64_t page_device, page_inode;
    std::int64_t pid, start_time;  // 0: not known
    std::int64_t connected_at;
    std::uint32_t uid, gid;
    std::uint32_t hostile;
    std::uint32_t process_number;  // the low half of it; 0: not known
    char process[16];
    char worker[32];
    char pool[16];
    char session[32];
};

// What one client was granted in one chunk of slots. It is committed by its serial, stored when the
// words are zero and the client's lease page has the chunk as well, and given up by clearing it;
// one whose serial is not its client's belongs to an earlier client and is unused.
struct alignas(64) GrantBlock {
    std::atomic<std::uint64_t> serial;  // of the client; 0: unused
    std::uint32_t client;               // index of its record
    std::uint32_t chunk;                // of slots
    std::uint64_t reserved[6];
    std::atomic<std::uint32_t> words[kChunkSlots];  // GrantWord
};
inline constexpr std::uint32_t kMaxBlocks = kMaxClients * (kMaxSlots / kChunkSlots);
// The file grows by this many blocks, a whole number of pages.
inline constexpr std::uint32_t kBlockStep = 64;

// One 32-bit word a slot: 0 nothing granted; else mode + 1 in the low 2 bits and the low 30 bits of
// the generation. Cleared before a slot becomes FREE, so those bits are unambiguous.
struct GrantWord {
    static constexpr std::uint32_t make(std::uint64_t generation, std::uint8_t mode) {
        return static_cast<std::uint32_t>(generation << 2) | static_cast<std::uint32_t>(mode + 1);
    }
    static constexpr bool matches(std::uint32_t grant, std::uint64_t generation) {
        return grant != 0 && (grant >> 2) == (static_cast<std::uint32_t>(generation) & 0x3FFFFFFFU);
    }
    static constexpr std::uint8_t mode(std::uint32_t grant) {
        return static_cast<std::uint8_t>((grant & 3) - 1);
    }
};

struct GrantsOffsets {
    static constexpr std::uint64_t records = 4096;
    static constexpr std::uint64_t blocks = page_up(records + kMaxClients * sizeof(ClientRecord));
    static constexpr std::uint64_t block(std::uint32_t index) {
        return blocks + index * sizeof(GrantBlock);
    }
    static constexpr std::uint64_t end = blocks + kMaxBlocks * sizeof(GrantBlock);
    // The blocks that a file of `size` bytes has room for.
    static constexpr std::uint32_t blocks_in(std::uint64_t size) {
        return size < blocks ? 0 : static_cast<std::uint32_t>((size - blocks) / sizeof(GrantBlock));
    }
};
static_assert(sizeof(ClientRecord) == 192 && sizeof(GrantBlock) == 64 + kChunkSlots * 4);
static_assert(kBlockStep * sizeof(GrantBlock) % 4096 == 0);

}  // namespace snakepit::shm::layout
