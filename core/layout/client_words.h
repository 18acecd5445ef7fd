// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace snakepit::shm {

// What every view says of a program that lives without a connection: the manager was restarted, or
// the connection was lost. It connects again when it next asks for something, and keeps what it
// has.
inline constexpr std::string_view kNotReconnected = "not reconnected yet";

}  // namespace snakepit::shm
