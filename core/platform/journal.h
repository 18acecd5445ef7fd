// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace snakepit::shm {

// Sends one structured message to the system's journal in its native protocol, as a datagram
// without waiting. Field names consist of upper case letters, digits and underscores, and include
// MESSAGE and PRIORITY; values are UTF-8 and may have several lines. Any thread. not_supported if
// the host has no journal; no_space if its queue is full; otherwise platform_error.
Status send_to_journal(std::span<const std::pair<std::string_view, std::string>> fields,
                       const std::string& path = "/run/systemd/journal/socket");

}  // namespace snakepit::shm
