// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace snakepit::shm {

// Creates the directory with exactly this mode, ignoring the umask, unless it exists. An error has
// `system_error` set.
Status make_directory(const std::string& path, std::uint32_t mode = 0700);

// Creates the missing parents. Failures are ignored: creating the directory itself reports them.
Status make_parents(const std::string& path, std::uint32_t mode = 0700);

}  // namespace snakepit::shm
