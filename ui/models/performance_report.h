// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// The manager's report "performance". Missing parts are empty; protocol_error when it is not a
// JSON object.
Result<PerformanceReport> parse_performance(std::string_view json);

}  // namespace snakepit::shm::ui
