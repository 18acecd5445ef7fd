// SPDX-License-Identifier: MIT
// How a region of level `high` or `maximum` lies in its segment, and the manager's record of it.
//
//     table 0 | table 1 | cell 0A | cell 0B | cell 1A | …
//
// The contents are cut into chunks. Each chunk has two cells for its ciphertext, and there are two
// tables that say which cell counts: what is written next never touches what counts now, so that a
// writer that is killed leaves one whole version. Which table counts, and what it must hash to, is
// in the manager's file `seals` (mode 0600, never shared): nobody can put an older version back.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "layout/registry_layout.h"

namespace snakepit::shm::layout {

// Measured: from 64 KiB on, a chunk costs no more than the cipher itself; less is read to get at
// one byte than with more.
inline constexpr std::uint64_t kChunkBytes = std::uint64_t{64} * 1024;

// What is known of one chunk. All zero: it was never written, and reads as zeros.
struct ChunkEntry {
    std::uint64_t version;      // content version it was written in
    std::uint32_t key_version;  // of the key it is encrypted with
    std::uint32_t cell;         // 1 or 2; 0: none
    std::uint8_t nonce[12];
    std::uint8_t tag[16];
    std::uint32_t reserved;
};
static_assert(sizeof(ChunkEntry) == 48 && alignof(ChunkEntry) == 8);

// Where the parts of a region of `size` bytes lie. Cheap to make.
struct EncryptedLayout {
    explicit constexpr EncryptedLayout(std::uint64_t region_size)
        : size(region_size), chunks((region_size + kChunkBytes - 1) / kChunkBytes) {}

    std::uint64_t size;    // of the contents, bytes
    std::uint64_t chunks;  // as many entries has each table

    constexpr std::uint64_t table_bytes() const { return chunks * sizeof(ChunkEntry); }
    constexpr std::uint64_t table(std::uint64_t which) const {
        return which * page_up(table_bytes());
    }
    constexpr std::uint64_t cell_bytes() const { return chunks == 1 ? page_up(size) : kChunkBytes; }
    // `which`: 1 or 2.
    constexpr std::uint64_t cell(std::uint64_t chunk, std::uint32_t which) const {
        return table(2) + (chunk * 2 + which - 1) * cell_bytes();
    }
    constexpr std::uint64_t chunk_size(std::uint64_t chunk) const {
        return std::min(kChunkBytes, size - chunk * kChunkBytes);
    }
    constexpr std::uint64_t segment_bytes() const { return table(2) + chunks * 2 * cell_bytes(); }
};

// ------------------------------------------------------------ the file `seals`
inline constexpr std::uint64_t kEncryptionMagic = 0x314C5345'4D485353ULL;  // "SSHMESL1"

// The version of a region's contents that counts.
struct EncryptionBody {
    std::uint64_t id_micros, id_random;  // of the region: a slot is used again
    std::uint64_t version;               // 0: nothing was written yet, no table counts
    std::uint32_t key_version;           // from 1; new contents are encrypted with it
    std::uint32_t writer_uid;
    std::int64_t writer_pid;
    std::int64_t written_at;  // microseconds since 1970 UTC
    std::uint8_t root[32];    // of the table that counts: the version's last bit
    std::uint8_t public_key[32];
    std::uint8_t signature[64];  // by it, over the root; zeros where the level asks for none
    char writer[16];             // its executable's name
    std::uint64_t checksum;
};

// Two bodies and one word, like everything of ours that must survive a kill.
struct alignas(64) EncryptionRecord {
    std::atomic<std::uint64_t> control;  // the last bit says which body counts; 0: none does
    EncryptionBody body[2];
};
static_assert(sizeof(EncryptionBody) == 200 && sizeof(EncryptionRecord) == 448);

struct EncryptionOffsets {
    static constexpr std::uint64_t records = 4096;
    static constexpr std::uint64_t record(std::uint32_t slot) {
        return records + std::uint64_t{slot} * sizeof(EncryptionRecord);
    }
    // The file grows by the records of a chunk of slots.
    static constexpr std::uint64_t chunk_end(std::uint32_t slot) {
        return record((slot / kChunkSlots + 1) * kChunkSlots);
    }
    static constexpr std::uint64_t end = records + kMaxSlots * sizeof(EncryptionRecord);
};

}  // namespace snakepit::shm::layout
