// SPDX-License-Identifier: MIT
// Notifications to the service manager (systemd) that started this process. Without one they do
// nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// Lines as in sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1". False: there is no service
// manager. `handle`, if valid, is sent along.
Result<bool> notify_service_manager(std::string_view lines, const Handle& handle = {});

// Waits until all previous notifications have been processed.
Status await_service_manager(int timeout_ms);

// Half of the watchdog timeout for "WATCHDOG=1"; milliseconds.
std::optional<std::int64_t> watchdog_interval_ms();

}  // namespace snakepit::shm
