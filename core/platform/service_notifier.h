// SPDX-License-Identifier: MIT
// What whoever started us as a service (systemd) wants to be told. Without one nothing happens.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// Lines as in sd_notify(3): "READY=1", "STOPPING=1", "WATCHDOG=1". False: nobody wants to know.
// `handle`, if valid, goes along.
Result<bool> notify_service_manager(std::string_view lines, const Handle& handle = {});

// Waits until everything it was told before has been taken in.
Status await_service_manager(int timeout_ms);

// Half of the time after which it takes us for dead without a "WATCHDOG=1"; milliseconds.
std::optional<std::int64_t> watchdog_interval_ms();

}  // namespace snakepit::shm
