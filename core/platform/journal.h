// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace snakepit::shm {

// One structured message to the system's journal, in its native protocol: a datagram, which is
// never waited for. Names of fields are upper case letters, digits and underscores, MESSAGE and
// PRIORITY among them; values are UTF-8 and may have several lines. Any thread.
// not_supported when there is no journal on this host; no_space when its queue is full;
// platform_error otherwise.
Status send_to_journal(std::span<const std::pair<std::string_view, std::string>> fields,
                       const std::string& path = "/run/systemd/journal/socket");

}  // namespace snakepit::shm
