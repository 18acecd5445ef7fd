// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace snakepit::shm {

// Makes it unless it is there, with just this mode: the umask, which may forbid a directory's own
// user to look into it, has no part in it. An error has the system's number.
Status make_directory(const std::string& path, std::uint32_t mode = 0700);

// Those above it that are missing. What cannot be made shows with the directory itself.
Status make_parents(const std::string& path, std::uint32_t mode = 0700);

}  // namespace snakepit::shm
