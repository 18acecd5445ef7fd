// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "alerts/alert.h"

namespace snakepit::shm {

// What `rule` would have done with what was recorded from `from` to `to`: the same code that
// watches now looks at the past. Any thread; takes as long as there is much to read.
// alert_rule_invalid; not_supported for what no history is kept of; database_unavailable.
Result<Backtest> backtest(const AlertRule& rule, const std::string& metrics_db,
                          const std::string& events_db, Timestamp from, Timestamp to);

}  // namespace snakepit::shm
