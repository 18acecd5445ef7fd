// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace snakepit::shm {

// A path of a table of the kernel's, /proc/self/mountinfo for one, where white space and
// backslashes are written as three octal digits: "\040".
std::string unescaped(std::string_view text);

}  // namespace snakepit::shm
