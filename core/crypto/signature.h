// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace snakepit::shm {

using Signature = std::array<std::byte, 64>;
using PublicKey = std::array<std::byte, 32>;  // Ed25519, raw

// An Ed25519 key pair (RFC 8032). Move-only; any thread.
class SigningKey {
  public:
    static Result<SigningKey> generate();
    // The key pair derived from 32 secret bytes: always the same one.
    static Result<SigningKey> from_seed(std::span<const std::byte> seed);
    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;
    ~SigningKey();

    const PublicKey& public_key() const;
    Result<Signature> sign(std::span<const std::byte> bytes) const;

  private:
    struct Private;
    explicit SigningKey(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

bool verify(const PublicKey& key, std::span<const std::byte> bytes, const Signature& signature);

// Lower-case hexadecimal, as keys and signatures are written in files and reports.
std::string to_hex(std::span<const std::byte> bytes);
bool from_hex(std::string_view text, std::span<std::byte> out);  // exactly as many bytes

}  // namespace snakepit::shm
