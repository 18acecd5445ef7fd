// SPDX-License-Identifier: MIT
// The parts of the alerts command.
#pragma once

#include <string>
#include <vector>

#include "alerts/alert.h"
#include "alerts/alert_api.h"
#include "command.h"

namespace snakepit::shm::cli {

void add_alert_rules(Command& alerts);
void add_backtest(Command& alerts);

// A rule from a file; "-" is standard input.
Result<AlertRule> read_rule(const std::string& file);
// Requests about alerts go to `client`, which outlives the answer.
AlertAsk asker(ManagerClient& client);

}  // namespace snakepit::shm::cli
