// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/signature.h"
#include "platform/locked_memory.h"

namespace snakepit::shm {

inline constexpr std::size_t kKeyBytes = 32;

// Random bytes for keys, from OpenSSL's generator.
Status fill_random(std::span<std::byte> bytes);

// The secret of one instance, from which every other key is derived (HKDF-SHA-256, RFC 5869):
// whoever has it can read everything and sign anything. Lives in locked memory.
class InstanceKey {
  public:
    // Reads `path`, or creates it (mode 0600, synced to disk before this returns).
    // security_violation if the file belongs to another user, is readable by others or has the
    // wrong size; it is left unchanged.
    static Result<InstanceKey> load_or_create(const std::string& path);
    // Reads a file that another program manages, such as a systemd credential; never creates one.
    static Result<InstanceKey> load(const std::string& path);

    // 32 bytes (or the size of `out`) derived for this purpose alone.
    Status derive(std::string_view purpose, std::span<std::byte> out) const;
    // Signs audit checkpoints and reports.
    Result<SigningKey> audit_key() const;

  private:
    explicit InstanceKey(LockedMemory secret) : secret_(std::move(secret)) {}
    LockedMemory secret_;
};

}  // namespace snakepit::shm
