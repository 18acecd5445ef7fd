// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "base/result.h"

namespace snakepit::shm {

// Starts `snakepit-shm serve` for the user in a new session; does not wait until it is ready.
Status launch_manager(const std::string& instance);

}  // namespace snakepit::shm
