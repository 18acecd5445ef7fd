// SPDX-License-Identifier: MIT
// What is encrypted, bound and signed of a region of level `high` or `maximum`: the one place that
// says so, for the manager, which verifies, and for the clients, which read and write.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "crypto/chunk_cipher.h"
#include "crypto/digest.h"
#include "crypto/keys.h"
#include "crypto/signature.h"
#include "layout/encrypted_layout.h"

namespace snakepit::shm {

using ChunkTable = std::vector<layout::ChunkEntry>;

// The version of a region's contents that counts, as the manager tells it.
struct EncryptionState {
    RegionId id;
    std::uint64_t size = 0;     // of the contents, bytes
    std::uint64_t version = 0;  // 0: nothing was written yet
    std::uint32_t key_version = 1;
    Digest root{};
    PublicKey public_key{};
    Signature signature{};
    std::int64_t writer_pid = 0;
    std::uint32_t writer_uid = 0;

    // Which of the segment's tables counts.
    std::uint64_t table() const { return version & 1; }
};

// Belongs to this region and key version alone; `out` has kKeyBytes.
Status derive_region_key(const InstanceKey& instance, const RegionId& id, std::uint32_t key_version,
                         std::span<std::byte> out);

// SHA-256 over all a version is: region, size, version, key version and table. Who knows it knows
// every tag, and so every byte.
Digest root_of(const EncryptionState& state, std::span<const layout::ChunkEntry> table);

// By the writer of a region of level `maximum`.
Result<Signature> sign_root(const SigningKey& key, const Digest& root);
bool root_signed(const EncryptionState& state);

// One chunk. The region, the chunk's place, its version and the key's are bound to it, so that no
// other ciphertext of the same key passes for it. `entry` has version, key version and nonce
// already; its tag is filled in.
Status encrypt_chunk(ChunkCipher& cipher, const RegionId& id, std::uint64_t chunk,
                     std::span<const std::byte> plain, std::byte* cell, layout::ChunkEntry& entry);
// False: it is not what was written.
Result<bool> decrypt_chunk(ChunkCipher& cipher, const RegionId& id, std::uint64_t chunk,
                           const layout::ChunkEntry& entry, std::span<const std::byte> cell,
                           std::byte* plain);

}  // namespace snakepit::shm
