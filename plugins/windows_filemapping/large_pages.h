// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

namespace snakepit::shm {

struct LargePages {
    std::uint64_t size = 0;  // bytes; 0: not available
    std::string problem;     // then: why, and what to do
};
// Enables the privilege that large pages need, if this account has it.
LargePages enable_large_pages();

}  // namespace snakepit::shm
