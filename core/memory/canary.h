// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// A region has `size` bytes at `offset` of its segment, and `actual_size` bytes are reserved for
// it. The spare bytes hold a pattern, the canary: if it changed, a program wrote past the end of
// the region. Uses the descriptor, so that a truncated segment is an error and not a fault. Any
// thread.

// With fewer spare bytes there is no canary; with more than a page it covers the first page.
inline constexpr std::uint64_t kLeastCanary = 16;
inline constexpr std::uint64_t kMostCanary = 4096;

// True: the pattern was written. False: there are too few bytes, or they cannot be written.
bool write_canary(const Handle& segment, std::uint64_t offset, std::uint64_t size,
                  std::uint64_t actual_size);
// Whether there are enough bytes.
bool has_canary(std::uint64_t size, std::uint64_t actual_size);
// Writes the pattern where there are zeros only; other bytes, which a program wrote past the end,
// stay, and check_canary() finds them.
void complete_canary(const Handle& segment, std::uint64_t offset, std::uint64_t size,
                     std::uint64_t actual_size);
// corruption_detected, with the number of changed bytes and the position of the first;
// mapping_failed if they cannot be read.
Status check_canary(const Handle& segment, std::uint64_t offset, std::uint64_t size,
                    std::uint64_t actual_size);

// Overwrites `size` bytes at `offset` with zeros; takes about 0.2 ms per MiB.
Status overwrite_with_zeros(const Handle& segment, std::uint64_t offset, std::uint64_t size);

}  // namespace snakepit::shm
