// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// A region has `size` bytes at `offset` of its segment and `actual_size` are reserved for it. The
// bytes between are nobody's: they hold a pattern, and a program that wrote there wrote past the
// end of its region. Read and written through the descriptor, so that a segment that was cut short
// is an error and never a fault. Any thread.

// Fewer spare bytes are not guarded; of more than a page the first page is.
inline constexpr std::uint64_t kLeastCanary = 16;
inline constexpr std::uint64_t kMostCanary = 4096;

// True: the pattern stands. False: there are too few bytes for it, or they cannot be written.
bool write_canary(const Handle& segment, std::uint64_t offset, std::uint64_t size,
                  std::uint64_t actual_size);
// corruption_detected, with how many bytes were changed and where the first is; mapping_failed when
// they cannot be read.
Status check_canary(const Handle& segment, std::uint64_t offset, std::uint64_t size,
                    std::uint64_t actual_size);

// Puts zeros over `size` bytes at `offset`; takes about 0.2 ms a MiB.
Status overwrite_with_zeros(const Handle& segment, std::uint64_t offset, std::uint64_t size);

}  // namespace snakepit::shm
