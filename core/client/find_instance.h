// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "base/paths.h"

namespace snakepit::shm {

// The instance that a client of this user connects to: the user's own if its manager is running,
// else the host's if it is running, else the user's own.
Result<InstancePaths> find_instance(std::string_view instance);

}  // namespace snakepit::shm
