// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/handle.h"
#include "crypto/encrypted_chunks.h"

namespace snakepit::shm {

// What is wrong with an encrypted region's segment, compared with the version of its contents that
// counts; nothing when all is well. Read through the descriptor, so that a segment that was cut
// short is an answer and never a fault. Any thread.

// The table of its chunks, and for `signs` the writer's signature. About 1 ms for 2 GiB.
std::optional<std::string> check_table(const Handle& segment, const EncryptionState& state,
                                       bool signs);
// All of it: as long as decrypting it takes.
std::optional<std::string> check_contents(const Handle& segment, const EncryptionState& state,
                                          bool signs, std::span<const std::byte> key);

}  // namespace snakepit::shm
