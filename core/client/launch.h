// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/result.h"

namespace snakepit::shm {

// Starts `snakepit-shm serve` for the user, in a session of its own; does not wait until it serves.
Status launch_manager(const std::string& instance);

}  // namespace snakepit::shm
