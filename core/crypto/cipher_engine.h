// SPDX-License-Identifier: MIT
// What a client needs from the cryptographic library. It is a separate shared object, loaded when a
// program first uses an encrypted region, so that other programs do not need libcrypto.
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

// One per process; it is never unloaded. Any thread.
class CipherEngine {
  public:
    virtual ~CipherEngine() = default;
    virtual Result<std::unique_ptr<KeyedCipher>> cipher(std::span<const std::byte> key) const = 0;
    virtual Status random(std::span<std::byte> out) const = 0;
    virtual Digest root_of(const EncryptionState& state,
                           std::span<const layout::ChunkEntry> table) const = 0;
    // Signs with this process's key pair, which is created on first use and never stored.
    virtual Result<std::pair<PublicKey, Signature>> sign(const Digest& root) = 0;
    virtual bool root_signed(const EncryptionState& state) const = 0;
};

// The module's only exported symbol. Returns null if it was built with structures other than the
// caller's kCipherAbi; increase its number when the classes above change.
inline constexpr const char* kCipherEntry = "snakepit_shm_cipher_engine";
inline constexpr std::uint64_t kCipherAbi =
    std::uint64_t{sizeof(Error)} << 32 | std::uint64_t{sizeof(EncryptionState)} << 16 | 1;
using CipherEntry = CipherEngine* (*)(std::uint64_t abi);

}  // namespace snakepit::shm
