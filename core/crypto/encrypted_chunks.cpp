// SPDX-License-Identifier: MIT
#include "crypto/encrypted_chunks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace snakepit::shm {

using layout::ChunkEntry;

namespace {

constexpr std::string_view kRootPurpose = "snakepit-shm sealed region 1";
constexpr std::string_view kSignPurpose = "snakepit-shm sealed by 1";

// Least significant byte first, whatever the machine.
template <typename T>
std::byte* put(std::byte* to, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i)
        *to++ = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
    return to;
}

using Associated = std::array<std::byte, 36>;
Associated associated(const RegionId& id, std::uint64_t chunk, const ChunkEntry& entry) {
    Associated out;
    auto* to = put(out.data(), id.micros);
    to = put(to, id.random);
    to = put(to, chunk);
    to = put(to, entry.version);
    put(to, entry.key_version);
    return out;
}

std::array<std::byte, kSignPurpose.size() + sizeof(Digest)> signed_text(const Digest& root) {
    std::array<std::byte, kSignPurpose.size() + sizeof(Digest)> text;
    std::memcpy(text.data(), kSignPurpose.data(), kSignPurpose.size());
    std::copy(root.begin(), root.end(), text.begin() + kSignPurpose.size());
    return text;
}

}  // namespace

Status derive_region_key(const InstanceKey& instance, const RegionId& id, std::uint32_t key_version,
                         std::span<std::byte> out) {
    return instance.derive("region " + id.str() + " key " + std::to_string(key_version), out);
}

Digest root_of(const EncryptionState& state, std::span<const ChunkEntry> table) {
    std::array<std::byte, 36> head;
    auto* to = put(head.data(), state.id.micros);
    to = put(to, state.id.random);
    to = put(to, state.size);
    to = put(to, state.version);
    put(to, state.key_version);
    Sha256 hash;
    hash.add(kRootPurpose);
    hash.add(head);
    hash.add(std::as_bytes(table));
    return hash.finish();
}

Result<Signature> sign_root(const SigningKey& key, const Digest& root) {
    return key.sign(signed_text(root));
}

bool root_signed(const EncryptionState& state) {
    return verify(state.public_key, signed_text(state.root), state.signature);
}

Status encrypt_chunk(ChunkCipher& cipher, const RegionId& id, std::uint64_t chunk,
                     std::span<const std::byte> plain, std::byte* cell, ChunkEntry& entry) {
    Nonce nonce;
    std::copy(std::begin(entry.nonce), std::end(entry.nonce), nonce.begin());
    Tag tag;
    SHM_TRY(cipher.encrypt(nonce, associated(id, chunk, entry), plain, cell, tag));
    std::copy(tag.begin(), tag.end(), std::begin(entry.tag));
    return {};
}

Result<bool> decrypt_chunk(ChunkCipher& cipher, const RegionId& id, std::uint64_t chunk,
                           const ChunkEntry& entry, std::span<const std::byte> cell,
                           std::byte* plain) {
    Nonce nonce;
    Tag tag;
    std::copy(std::begin(entry.nonce), std::end(entry.nonce), nonce.begin());
    std::copy(std::begin(entry.tag), std::end(entry.tag), tag.begin());
    return cipher.decrypt(nonce, associated(id, chunk, entry), cell, plain, tag);
}

}  // namespace snakepit::shm
