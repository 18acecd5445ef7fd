// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace snakepit::shm {

// Shown for a program that runs without a connection, because the manager restarted or the
// connection was lost. It reconnects with its next request and keeps what it holds.
inline constexpr std::string_view kNotReconnected = "not reconnected yet";

}  // namespace snakepit::shm
