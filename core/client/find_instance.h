// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "base/paths.h"

namespace snakepit::shm {

// The instance a client of this user would talk to: the user's own if its manager runs, else the
// host's if that runs, else the user's own.
Result<InstancePaths> find_instance(std::string_view instance);

}  // namespace snakepit::shm
