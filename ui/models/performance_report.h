// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// The manager's report "performance". What it does not say is empty; protocol_error when it
// is no JSON object.
Result<PerformanceReport> parse_performance(std::string_view json);

}  // namespace snakepit::shm::ui
