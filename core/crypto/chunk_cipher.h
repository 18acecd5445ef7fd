// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"

namespace snakepit::shm {

using Nonce = std::array<std::uint8_t, 12>;
using Tag = std::array<std::uint8_t, 16>;

// AES-256-GCM (NIST SP 800-38D) under one key, again and again: the key schedule is made once. A
// nonce must never be used twice to encrypt under one key. Move-only; one thread at a time.
class ChunkCipher {
  public:
    static Result<ChunkCipher> make(std::span<const std::byte> key);  // 32 bytes
    ChunkCipher(ChunkCipher&&) noexcept;
    ChunkCipher& operator=(ChunkCipher&&) noexcept;
    ~ChunkCipher();

    // `out` is as long as `plain`.
    Status encrypt(const Nonce& nonce, std::span<const std::byte> associated,
                   std::span<const std::byte> plain, std::byte* out, Tag& tag);
    // False: the tag does not belong to these bytes; `out` is overwritten with zeros then.
    // Who can write to `ciphertext` meanwhile can change what comes out; see core/crypto/README.md.
    Result<bool> decrypt(const Nonce& nonce, std::span<const std::byte> associated,
                         std::span<const std::byte> ciphertext, std::byte* out, const Tag& tag);

  private:
    struct Private;
    explicit ChunkCipher(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
