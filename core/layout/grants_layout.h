// SPDX-License-Identifier: MIT
// The grants file: the manager's record of what was granted to which client (mode 0600, never
// shared). Recovery trusts it and not the lease pages, which clients can write.
#pragma once

#include <atomic>
#include <cstdint>

#include "layout/registry_layout.h"

namespace snakepit::shm::layout {

inline constexpr std::uint64_t kGrantsMagic = 0x3154524E'4D485353ULL;  // "SSHMNRT1"

// A client, in the order of its life: the fields, then `serial` (which commits it); cleared the
// other way round. `chunks` has a bit for every kChunkSlots slots whose grants, words and takes
// have been reserved.
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
    std::atomic<std::uint64_t> chunks[kMaxSlots / kChunkSlots / 64];
};

// One 32-bit word a slot and client: 0 nothing granted; else mode + 1 in the low 2 bits and the low
// 30 bits of the generation. Cleared before a slot becomes FREE, so those bits are unambiguous.
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
    static constexpr std::uint64_t rows = page_up(records + kMaxClients * sizeof(ClientRecord));
    static constexpr std::uint64_t row_bytes = std::uint64_t{kMaxSlots} * 4;
    static constexpr std::uint64_t row(std::uint32_t client) { return rows + client * row_bytes; }
    static constexpr std::uint64_t end = rows + kMaxClients * row_bytes;
};
static_assert(sizeof(ClientRecord) % 64 == 0 && alignof(ClientRecord) == 64);

}  // namespace snakepit::shm::layout
