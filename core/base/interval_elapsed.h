// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace snakepit::shm {

// Whether it is time for what is done at intervals; if so `next` becomes the next time. It is also
// time when `next` is further away than `every`: the clock was set back, or `every` is shorter now.
// One unit of time in all three.
inline bool interval_elapsed(std::int64_t at, std::int64_t every, std::int64_t& next) {
    if (at < next && next - at <= every) return false;
    next = at + every;
    return true;
}

}  // namespace snakepit::shm
