// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "base/time.h"

namespace snakepit::shm {

// When a process was started, by people's clock, from its start time (ProcessInfo::start_time).
// "Never" for 0. Any thread. The same start time gives the same moment until somebody sets the
// clock.
Timestamp moment_of_start(std::int64_t start_time);

}  // namespace snakepit::shm
