// SPDX-License-Identifier: MIT
#include <ctime>

#include "base/time.h"

namespace snakepit::shm {

// CLOCK_MONOTONIC of macOS goes on while the system sleeps.
std::int64_t boot_micros() {
    return static_cast<std::int64_t>(::clock_gettime_nsec_np(CLOCK_MONOTONIC) / 1000);
}

}  // namespace snakepit::shm
