// SPDX-License-Identifier: MIT
// Alert rules, alerts and silences: the data that manager, command line and monitor share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "conditions/condition.h"
#include "layout/event_kind.h"

namespace snakepit::shm {

struct AlertRule {
    std::string name;   // letters, digits, - and _
    std::string title;  // what is wrong, in a few words; empty: the name
    AlertSeverity severity = AlertSeverity::warning;
    // Exactly one of the two: a metric (layout/metrics.h; of a counter its growth in the window),
    // or a kind of event, counted in the window.
    std::string metric;
    std::optional<EventKind> event;
    // Only events whose own count is at least this (references that a client held when it died …,
    // see layout/event_kind.h).
    std::uint32_t count_at_least = 0;
    AlertComparison comparison = AlertComparison::above;
    double threshold = 0;  // in the metric's unit; for events, their number in the window
    std::optional<double> resolve_threshold;  // none: `threshold`
    std::int64_t for_ms = 0;                  // how long the condition holds before the alert fires
    std::int64_t resolve_for_ms = 0;          // how long it does not hold before it is resolved
    std::int64_t window_ms = 60'000;          // for counters and events
    AlertGroup group = AlertGroup::none;
    bool enabled = true;
    bool built_in = false;  // a default rule: can be changed or switched off, not removed
    std::string remedy;     // what to do
    friend bool operator==(const AlertRule&, const AlertRule&) = default;
};

struct Alert {
    // pending: the condition holds, but not long enough yet. resolved: it no longer holds.
    enum class State : std::uint8_t { pending, firing, resolved };

    std::uint64_t id = 0;  // ascending; one from pending to resolved
    std::string rule, title;
    AlertSeverity severity{};
    State state{};
    std::string subject;  // a region, user or program; empty: the instance
    double value = 0;     // the latest
    double worst = 0;     // since it began
    double threshold = 0;
    std::string unit;      // "bytes", "seconds", "ratio", "events" or empty
    std::string evidence;  // a sentence
    std::string remedy;
    Timestamp since, fired_at, resolved_at;  // 0: not yet
    std::string acknowledged_by;             // user; empty: not acknowledged
    std::string acknowledgement;             // that user's comment
    Timestamp acknowledged_at;
    bool silenced = false;
    bool flapping = false;          // it comes and goes: kept firing until it stays inactive
    std::uint32_t times_fired = 1;  // including its returns while it was flapping
};

// Alerts that it matches are recorded and shown, but not notified.
struct AlertSilence {
    std::uint64_t id = 0;
    std::string rule;     // empty: all
    std::string subject;  // empty: all
    Timestamp until;      // 0: until the alerts it matches now are resolved
    std::string by, comment;
    Timestamp made_at;
};

// What a rule would have found in recorded history.
struct BacktestFiring {
    Timestamp fired_at, resolved_at;  // 0: not by the end
    std::string subject;
    double worst = 0;
};
struct Backtest {
    Timestamp from, to;  // the part of the requested time that was recorded
    std::vector<BacktestFiring> firings;
    std::uint64_t points = 0;  // evaluated
};

// A JSON object with the fields named as above; `comparison` is ">", ">=", "<" or "<=", durations
// are "5m" or milliseconds, times RFC 3339. Unknown fields, wrong types and conditions that can
// never hold fail with alert_rule_invalid, and the message names the field.
Result<AlertRule> parse_rule(std::string_view json);
Status check(const AlertRule& rule);
// The conditions that watch a metric or an event (conditions/condition.h), as rules.
std::vector<AlertRule> default_rules();
// The unit of what the rule compares: "bytes", "seconds", "ratio", "events" or empty.
std::string_view unit_of(const AlertRule& rule);
std::string to_json(const AlertRule& rule);
std::string to_json(const Alert& alert);
std::string to_json(const AlertSilence& silence);
Result<Alert> parse_alert(std::string_view json);
Result<AlertSilence> parse_silence(std::string_view json);
Result<std::vector<Alert>> parse_alerts(std::string_view json);           // {"alerts":[…]}
Result<std::vector<AlertSilence>> parse_silences(std::string_view json);  // {"silences":[…]}
Result<std::vector<AlertRule>> parse_rules(std::string_view json);        // {"rules":[…]}

std::string_view to_string(AlertSeverity severity);
std::optional<AlertSeverity> parse_severity(std::string_view text);
std::string_view to_string(Alert::State state);
std::string_view to_string(AlertGroup group);
std::string_view to_string(AlertComparison comparison);  // ">="
// "host_shm_ratio > 90 % for 1 min", "refused >= 3 in 1 min".
std::string condition_text(const AlertRule& rule);
// The value with its unit: "91.2 %", "3.4 s", "1.5 GiB".
std::string value_text(double value, std::string_view unit);

}  // namespace snakepit::shm
