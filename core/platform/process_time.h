// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/time.h"

namespace snakepit::shm {

// Converts a start time (ProcessInfo::start_time) to wall clock time; 0 becomes "never". Any
// thread. The result for a start time changes only if the clock is set.
Timestamp moment_of_start(std::int64_t start_time);

}  // namespace snakepit::shm
