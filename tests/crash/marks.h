// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ids.h"

namespace snakepit::shm::test {

// Every page of a region carries the region's id and the page's number, so that a page that was
// zeroed, lost in a move or handed out twice is found by whoever looks at it.
enum class Marks : std::uint8_t {
    whole,    // every page is as its allocator left it
    partial,  // some are still zero: its allocator has not come so far, or was killed before
    foreign,  // something else is written there
};

void write_marks(std::byte* data, std::uint64_t size, const RegionId& id);
Marks look_at_marks(const std::byte* data, std::uint64_t size, const RegionId& id);
bool all_zero(const std::byte* data, std::uint64_t size);

}  // namespace snakepit::shm::test
