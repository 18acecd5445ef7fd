// SPDX-License-Identifier: MIT
// The one table of what can be wrong with an instance: names, thresholds, sentences and remedies.
// The default alert rules, the manager's health check and `snakepit-shm health` read it, so that a
// condition has the same threshold and the same words wherever it is reported.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "layout/event_kind.h"

namespace snakepit::shm {

enum class AlertSeverity : std::uint8_t { info, warning, critical };
enum class AlertComparison : std::uint8_t { above, at_least, below, at_most };  // > >= < <=
// One alert for all subjects of a rule, or one for each.
enum class AlertGroup : std::uint8_t { none, subject, region, user, process };

// Whether `value` meets `comparison` with `threshold`.
bool holds(AlertComparison comparison, double value, double threshold);
// > or >=
constexpr bool upwards(AlertComparison comparison) {
    return comparison == AlertComparison::above || comparison == AlertComparison::at_least;
}

struct Condition {
    std::string_view name;  // also the name of its alert rule, if it has one
    AlertSeverity severity = AlertSeverity::warning;
    std::string_view title{};   // what is wrong, in a few words
    std::string_view remedy{};  // what to do
    // Watched by an alert rule: a metric (layout/metrics.h) or an event. Neither: only health
    // checks compare it.
    std::string_view metric{};
    std::optional<EventKind> event{};
    AlertComparison comparison = AlertComparison::above;
    double threshold = 0;
    std::optional<double> resolve_threshold{};
    std::int64_t for_ms = 0, resolve_for_ms = 0, window_ms = 60'000;
    AlertGroup group = AlertGroup::none;
    std::uint32_t count_at_least = 0;  // of events: see AlertRule
    // While the alert of this condition fires, it stands for both.
    std::string_view superseded_by{};

    bool has_rule() const { return !metric.empty() || event; }
    // Whether `value` meets the condition; one that was met before ends at the resolve threshold.
    bool met(double value, bool before = false) const;
    bool met(std::uint64_t value, bool before = false) const {
        return met(static_cast<double>(value), before);
    }
};

// What the conditions on a file system compare: the share of `total` that is used.
double used_ratio(std::uint64_t free, std::uint64_t total);

std::span<const Condition> conditions();
const Condition* find_condition(std::string_view name);  // null: unknown
// One that is in the table.
const Condition& condition(std::string_view name);

}  // namespace snakepit::shm
