// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>

#include "alerts/alerting_rule.h"
#include "telemetry/metrics_reader.h"

namespace snakepit::shm {

// What `rule` would have found in what was recorded from `from` to `to`, by the same code that
// watches the present. Any thread; its time grows with the rows it reads.
// alert_rule_invalid; not_supported for metrics without a history; database_unavailable.
Result<Backtest> backtest(const AlertRule& rule, const std::string& metrics_db,
                          const std::string& events_db, Timestamp from, Timestamp to);

// The same with points, oldest first. Of a point longer than a second the average counts if the
// rule has a duration, and the worst value if it has none.
Backtest backtest(const AlertRule& rule, std::span<const MetricPoint> points,
                  FlapLimits flaps = {});
// The same with events, oldest first, and an evaluation every second from `from` to `to`.
Backtest backtest(const AlertRule& rule, std::span<const EventRow> events, Timestamp from,
                  Timestamp to, FlapLimits flaps = {});

}  // namespace snakepit::shm
