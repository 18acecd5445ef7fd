// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"

namespace snakepit::shm {

using Digest = std::array<std::byte, 32>;

// SHA-256 over several parts. Reusable after finish(). Move-only; one thread at a time.
class Sha256 {
  public:
    Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    ~Sha256();

    void add(std::span<const std::byte> bytes);
    void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
    Digest finish();

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

Digest sha256(std::span<const std::byte> bytes);

// An error with OpenSSL's reason for the last failure.
Error crypto_error(std::string_view what);

}  // namespace snakepit::shm
