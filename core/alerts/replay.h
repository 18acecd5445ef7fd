// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "alerts/rule_watch.h"
#include "telemetry/metrics_reader.h"

namespace snakepit::shm {

// Shows the past to a rule, oldest first, and collects what it does.
class Replay {
  public:
    Replay(const AlertRule& rule, std::int64_t max_gap_ms, FlapLimits flaps = {});

    void begin(Timestamp from);
    RuleWatch& watch() { return watch_; }
    void look(Timestamp at);
    // Looks every second up to and with `until`, as far as there is anything to see.
    void look_until(Timestamp until);
    void see(const SeenEvent& event);
    void counted(std::size_t points) { out_.points = points; }
    Backtest finish();

  private:
    bool quiet();
    void close(const Alert& alert, Timestamp at);

    RuleWatch watch_;
    Backtest out_;
    std::int64_t idle_after_, next_ = 0, last_event_ = 0;  // microseconds
    std::vector<AlertChange> changes_;
};

// What a rule would have done with these points, oldest first. Of a point longer than a second the
// average counts if the rule has a duration, and the worst if it has none.
Backtest replay(const AlertRule& rule, std::span<const MetricPoint> points, FlapLimits flaps = {});
// The same for events, oldest first, with a look every second from `from` to `to`.
Backtest replay(const AlertRule& rule, std::span<const EventRow> events, Timestamp from,
                Timestamp to, FlapLimits flaps = {});

}  // namespace snakepit::shm
