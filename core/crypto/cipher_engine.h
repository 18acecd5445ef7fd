// SPDX-License-Identifier: MIT
// What a client needs of the cryptographic library. It is in a module of its own that is loaded
// when a program first touches an encrypted region, so that no other program needs libcrypto.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/result.h"
#include "crypto/encrypted_chunks.h"

namespace snakepit::shm {

// encrypted_chunks.h under one key. One thread at a time.
class KeyedCipher {
  public:
    virtual ~KeyedCipher() = default;
    virtual Status encrypt(const RegionId& id, std::uint64_t chunk,
                           std::span<const std::byte> plain, std::byte* cell,
                           layout::ChunkEntry& entry) = 0;
    virtual Result<bool> decrypt(const RegionId& id, std::uint64_t chunk,
                                 const layout::ChunkEntry& entry, std::span<const std::byte> cell,
                                 std::byte* plain) = 0;
};

// One of a process, for ever. Any thread.
class CipherEngine {
  public:
    virtual ~CipherEngine() = default;
    virtual Result<std::unique_ptr<KeyedCipher>> cipher(std::span<const std::byte> key) const = 0;
    virtual Status random(std::span<std::byte> out) const = 0;
    virtual Digest root_of(const EncryptionState& state,
                           std::span<const layout::ChunkEntry> table) const = 0;
    // With a key pair of this process, made when it is first asked for and never stored.
    virtual Result<std::pair<PublicKey, Signature>> sign(const Digest& root) = 0;
    virtual bool root_signed(const EncryptionState& state) const = 0;
};

// The module's only visible symbol. Null: it was built with other structures than those of the
// caller's kCipherAbi, whose number goes up when the classes above change.
inline constexpr const char* kCipherEntry = "snakepit_shm_cipher_engine";
inline constexpr std::uint64_t kCipherAbi =
    std::uint64_t{sizeof(Error)} << 32 | std::uint64_t{sizeof(EncryptionState)} << 16 | 1;
using CipherEntry = CipherEngine* (*)(std::uint64_t abi);

}  // namespace snakepit::shm
