// SPDX-License-Identifier: MIT
// Rules, and what becomes of them: the words the manager, the command line and the monitor share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "layout/event_kind.h"

namespace snakepit::shm {

enum class AlertSeverity : std::uint8_t { info, warning, critical };
enum class AlertComparison : std::uint8_t { above, at_least, below, at_most };  // > >= < <=
// One alert for all that a rule finds, or one for each.
enum class AlertGroup : std::uint8_t { none, subject, region, user, process };
// pending: the condition holds, not yet long enough. firing. resolved: it holds no more.
enum class AlertState : std::uint8_t { pending, firing, resolved };

struct AlertRule {
    std::string name;   // a word: letters, digits, - and _
    std::string title;  // a few words for people; empty: the name
    AlertSeverity severity = AlertSeverity::warning;
    // Exactly one of the two: what is sampled (layout/metrics.h; of a counter its growth in
    // `window`), or a kind of event, counted in `window`.
    std::string metric;
    std::optional<EventKind> event;
    // Of events: only those whose own count is at least this (references that went with a client
    // …, see layout/event_kind.h).
    std::uint32_t count_at_least = 0;
    AlertComparison comparison = AlertComparison::above;
    double threshold = 0;  // in the metric's unit; of events a number in the window
    std::optional<double> resolve_threshold;  // none: `threshold`
    std::int64_t for_ms = 0;                  // how long it must hold before it fires
    std::int64_t resolve_for_ms = 0;          // and must not hold before it is resolved
    std::int64_t window_ms = 60'000;          // of counters and events
    AlertGroup group = AlertGroup::none;
    bool enabled = true;
    bool built_in = false;  // of the default set: can be changed or switched off, not removed
    std::string remedy;     // what to do about it
    friend bool operator==(const AlertRule&, const AlertRule&) = default;
};

struct Alert {
    std::uint64_t id = 0;  // grows; of one firing from pending to resolved
    std::string rule, title;
    AlertSeverity severity{};
    AlertState state{};
    std::string subject;  // whom it is about; empty: the instance
    double value = 0;     // the latest
    double worst = 0;     // since it began
    double threshold = 0;
    std::string unit;      // "bytes", "seconds", "ratio", "events" or empty
    std::string evidence;  // a sentence
    std::string remedy;
    Timestamp since, fired_at, resolved_at;  // 0: not yet
    std::string acknowledged_by;             // user; empty: nobody has
    std::string acknowledgement;             // what that user wrote
    Timestamp acknowledged_at;
    bool silenced = false;
    bool flapping = false;          // it comes and goes: kept firing until it is calm
    std::uint32_t times_fired = 1;  // with the times it came back while it was flapping
};

// Nobody is told of alerts it matches; they are kept and shown all the same.
struct AlertSilence {
    std::uint64_t id = 0;
    std::string rule;     // empty: all
    std::string subject;  // empty: all
    Timestamp until;      // 0: until what it matches now is resolved
    std::string by, comment;
    Timestamp made_at;
};

// What a rule would have done in a stretch of recorded history.
struct BacktestFiring {
    Timestamp fired_at, resolved_at;  // 0: not by the end
    std::string subject;
    double worst = 0;
};
struct Backtest {
    Timestamp from, to;  // what history there is of what was asked for
    std::vector<BacktestFiring> firings;
    std::uint64_t points = 0;  // looked at
};

// A JSON object with the fields' names as they stand above; `comparison` is ">", ">=", "<" or "<=",
// durations are "5m" or milliseconds, times RFC 3339. Strict: unknown fields, wrong types and
// conditions that can never hold are alert_rule_invalid, and the message names the field.
Result<AlertRule> parse_rule(std::string_view json);
Status check(const AlertRule& rule);
// "bytes", "seconds", "ratio", "events" or empty: of what the rule compares.
std::string_view unit_of(const AlertRule& rule);
// Whether `value` meets `comparison` with `threshold`.
bool holds(AlertComparison comparison, double value, double threshold);
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
std::string_view to_string(AlertState state);
std::string_view to_string(AlertGroup group);
std::string_view symbol(AlertComparison comparison);  // ">="
// "host_shm_ratio > 90 % for 1 min", "refused >= 3 in 1 min".
std::string condition_text(const AlertRule& rule);
// The value with its unit, as people read it: "91.2 %", "3.4 s", "1.5 GiB".
std::string value_text(double value, std::string_view unit);

}  // namespace snakepit::shm
