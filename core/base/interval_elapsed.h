// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace snakepit::shm {

// Whether the time has come for what is done every so often, and if so `next` is when it is again.
// It has also come when `next` is further away than that: the clock was set back, or `every` is
// shorter now. One unit of time in all three.
inline bool comes_due(std::int64_t at, std::int64_t every, std::int64_t& next) {
    if (at < next && next - at <= every) return false;
    next = at + every;
    return true;
}

}  // namespace snakepit::shm
