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

// AES-256-GCM (NIST SP 800-38D) for many chunks under one key: the key schedule is computed once.
// Never encrypt twice with the same key and nonce. Move-only; one thread at a time.
class ChunkCipher {
  public:
    static Result<ChunkCipher> make(std::span<const std::byte> key);  // 32 bytes
    ChunkCipher(ChunkCipher&&) noexcept;
    ChunkCipher& operator=(ChunkCipher&&) noexcept;
    ~ChunkCipher();

    // `out` is as long as `plain`.
    Status encrypt(const Nonce& nonce, std::span<const std::byte> associated,
                   std::span<const std::byte> plain, std::byte* out, Tag& tag);
    // False: the tag does not match; `out` is then overwritten with zeros. A process that writes to
    // `ciphertext` meanwhile can change the result; see core/crypto/README.md.
    Result<bool> decrypt(const Nonce& nonce, std::span<const std::byte> associated,
                         std::span<const std::byte> ciphertext, std::byte* out, const Tag& tag);

  private:
    struct Private;
    explicit ChunkCipher(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
