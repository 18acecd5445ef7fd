// SPDX-License-Identifier: MIT
#pragma once

#include <spawn.h>

#include <string>

#include "child.h"

namespace snakepit::shm::conformance {

// Lets a child that is started with these actions have the handle; the word for handed_handle().
std::string hand_over(const Handle& handle, posix_spawn_file_actions_t& actions);

}  // namespace snakepit::shm::conformance
