// SPDX-License-Identifier: MIT
// What is encrypted, authenticated and signed in a region of level `high` or `maximum`. Shared by
// the manager, which verifies, and the clients, which read and write.
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

// The current version of a region's contents, as reported by the manager.
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

    // The segment's current table.
    std::uint64_t table() const { return version & 1; }
};

// The key of this region and key version; `out` has kKeyBytes.
Status derive_region_key(const InstanceKey& instance, const RegionId& id, std::uint32_t key_version,
                         std::span<std::byte> out);

// SHA-256 over everything that defines a version: region, size, version, key version and table. It
// covers every tag, and so every byte.
Digest root_of(const EncryptionState& state, std::span<const layout::ChunkEntry> table);

// Signed by the writer of a region of level `maximum`.
Result<Signature> sign_root(const SigningKey& key, const Digest& root);
bool root_signed(const EncryptionState& state);

// One chunk. Region, position, version and key version are authenticated with it, so that no other
// ciphertext of the same key can replace it. `entry` has version, key version and nonce; its tag is
// filled in.
Status encrypt_chunk(ChunkCipher& cipher, const RegionId& id, std::uint64_t chunk,
                     std::span<const std::byte> plain, std::byte* cell, layout::ChunkEntry& entry);
// False: the ciphertext is not what was written.
Result<bool> decrypt_chunk(ChunkCipher& cipher, const RegionId& id, std::uint64_t chunk,
                           const layout::ChunkEntry& entry, std::span<const std::byte> cell,
                           std::byte* plain);

}  // namespace snakepit::shm
