// SPDX-License-Identifier: MIT
#include "alerts/alert.h"

#include <cmath>

#include <fmt/format.h>

#include "base/units.h"
#include "layout/metrics.h"

namespace snakepit::shm {

std::string_view to_string(AlertSeverity severity) {
    switch (severity) {
        case AlertSeverity::info:
            return "info";
        case AlertSeverity::warning:
            break;
        case AlertSeverity::critical:
            return "critical";
    }
    return "warning";
}

std::optional<AlertSeverity> parse_severity(std::string_view text) {
    for (const auto severity :
         {AlertSeverity::info, AlertSeverity::warning, AlertSeverity::critical})
        if (to_string(severity) == text) return severity;
    return std::nullopt;
}

std::string_view to_string(AlertState state) {
    switch (state) {
        case AlertState::pending:
            break;
        case AlertState::firing:
            return "firing";
        case AlertState::resolved:
            return "resolved";
    }
    return "pending";
}

std::string_view to_string(AlertGroup group) {
    switch (group) {
        case AlertGroup::none:
            break;
        case AlertGroup::subject:
            return "subject";
        case AlertGroup::region:
            return "region";
        case AlertGroup::user:
            return "user";
        case AlertGroup::process:
            return "process";
    }
    return "none";
}

std::string_view symbol(AlertComparison comparison) {
    switch (comparison) {
        case AlertComparison::above:
            break;
        case AlertComparison::at_least:
            return ">=";
        case AlertComparison::below:
            return "<";
        case AlertComparison::at_most:
            return "<=";
    }
    return ">";
}

bool holds(AlertComparison comparison, double value, double threshold) {
    switch (comparison) {
        case AlertComparison::above:
            break;
        case AlertComparison::at_least:
            return value >= threshold;
        case AlertComparison::below:
            return value < threshold;
        case AlertComparison::at_most:
            return value <= threshold;
    }
    return value > threshold;
}

std::string_view unit_of(const AlertRule& rule) {
    if (rule.event) return "events";
    const auto* metric = find_metric(rule.metric);
    switch (metric ? metric->unit : subject_unit(rule.metric)) {
        case MetricUnit::bytes:
            return "bytes";
        case MetricUnit::seconds:
            return "seconds";
        case MetricUnit::ratio:
            return "ratio";
        case MetricUnit::none:
            break;
    }
    return "";
}

std::string value_text(double value, std::string_view unit) {
    if (!std::isfinite(value)) return "unknown";
    if (unit == "ratio") return fmt::format("{:g} %", std::round(value * 1000) / 10);
    if (unit == "bytes" && value >= 0 && value < 9e18)
        return format_size(static_cast<std::uint64_t>(value));
    if (unit != "seconds") return fmt::format("{:.6g}", value);
    if (value >= 120 && value < 9e12)
        return format_duration(static_cast<std::int64_t>(value * 1e3));
    if (value >= 1 || value == 0) return fmt::format("{:.3g} s", value);
    if (value >= 1e-3) return fmt::format("{:.3g} ms", value * 1e3);
    return fmt::format("{:.3g} µs", value * 1e6);
}

std::string condition_text(const AlertRule& rule) {
    const auto unit = unit_of(rule);
    std::string what = rule.metric;
    if (rule.event) what = to_string(*rule.event);
    if (rule.count_at_least > 0) what += fmt::format(" of at least {}", rule.count_at_least);
    auto text =
        fmt::format("{} {} {}", what, symbol(rule.comparison), value_text(rule.threshold, unit));
    const auto* metric = find_metric(rule.metric);
    if (rule.event || (metric && metric->kind == MetricKind::counter))
        text += fmt::format(" in {}", format_duration(rule.window_ms));
    if (rule.for_ms > 0) text += fmt::format(" for {}", format_duration(rule.for_ms));
    return text;
}

}  // namespace snakepit::shm
