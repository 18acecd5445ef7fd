// SPDX-License-Identifier: MIT
#include "alerts/alert.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "base/units.h"
#include "layout/metrics.h"

namespace snakepit::shm {

namespace {

constexpr std::array<std::string_view, 3> kSeverityNames{"info", "warning", "critical"};
constexpr std::array<std::string_view, 3> kStateNames{"pending", "firing", "resolved"};
constexpr std::array<std::string_view, 5> kGroupNames{"none", "subject", "region", "user",
                                                      "process"};
constexpr std::array<std::string_view, 4> kComparisonNames{">", ">=", "<", "<="};

}  // namespace

std::string_view to_string(AlertSeverity severity) {
    return kSeverityNames.at(static_cast<std::size_t>(severity));
}

std::string_view to_string(Alert::State state) {
    return kStateNames.at(static_cast<std::size_t>(state));
}

std::string_view to_string(AlertGroup group) {
    return kGroupNames.at(static_cast<std::size_t>(group));
}

std::string_view to_string(AlertComparison comparison) {
    return kComparisonNames.at(static_cast<std::size_t>(comparison));
}

std::optional<AlertSeverity> parse_severity(std::string_view text) {
    const auto* const found = std::find(kSeverityNames.begin(), kSeverityNames.end(), text);
    if (found == kSeverityNames.end()) return std::nullopt;
    return static_cast<AlertSeverity>(found - kSeverityNames.begin());
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
        fmt::format("{} {} {}", what, to_string(rule.comparison), value_text(rule.threshold, unit));
    const auto* metric = find_metric(rule.metric);
    if (rule.event || (metric && metric->kind == MetricKind::counter))
        text += fmt::format(" in {}", format_duration(rule.window_ms));
    if (rule.for_ms > 0) text += fmt::format(" for {}", format_duration(rule.for_ms));
    return text;
}

std::vector<AlertRule> default_rules() {
    std::vector<AlertRule> out;
    for (const auto& condition : conditions()) {
        if (!condition.has_rule()) continue;
        auto& rule = out.emplace_back();
        rule.name = condition.name;
        rule.title = condition.title;
        rule.severity = condition.severity;
        rule.metric = condition.metric;
        rule.event = condition.event;
        rule.count_at_least = condition.count_at_least;
        rule.comparison = condition.comparison;
        rule.threshold = condition.threshold;
        rule.resolve_threshold = condition.resolve_threshold;
        rule.for_ms = condition.for_ms;
        rule.resolve_for_ms = condition.resolve_for_ms;
        rule.window_ms = condition.window_ms;
        rule.group = condition.group;
        rule.built_in = true;
        rule.remedy = condition.remedy;
    }
    return out;
}

// Refuses rules that would watch nothing, never hold, or always hold.
namespace {

constexpr std::int64_t kDay = 86'400'000;
constexpr std::size_t kLongestName = 64;

tl::unexpected<Error> wrong(std::string_view field, std::string_view what, std::string remedy) {
    return fail(ErrorCode::alert_rule_invalid, fmt::format("the rule: '{}': {}", field, what),
                std::move(remedy));
}

bool per_subject(std::string_view metric) {
    const auto names = subject_metrics();
    return std::find(names.begin(), names.end(), metric) != names.end();
}

bool about_alerts(EventKind kind) {
    return kind >= EventKind::alert_fired && kind <= EventKind::alerts_skipped;
}

Status check_name(const std::string& name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    };
    if (!name.empty() && name.size() <= kLongestName &&
        std::all_of(name.begin(), name.end(), allowed))
        return {};
    return wrong("name", "the name has other characters or is too long",
                 fmt::format("use 1 to {} letters, digits, - and _", kLongestName));
}

Status check_what(const AlertRule& rule) {
    if (rule.metric.empty() == !rule.event)
        return wrong(rule.event ? "event" : "metric",
                     rule.event ? "the rule also has a metric" : "the rule watches nothing",
                     "name either a metric or an event");
    if (rule.event && about_alerts(*rule.event))
        return wrong("event", "alerts about alerts would never end", "watch another event");
    if (!rule.event && rule.count_at_least > 0)
        return wrong("count_at_least", "only events have a count", "remove it");
    if (!rule.event && !find_metric(rule.metric) && !per_subject(rule.metric))
        return wrong("metric", fmt::format("unknown metric '{}'", rule.metric.substr(0, 80)),
                     "'snakepit-shm metrics' lists the names, prefixed with snakepit_shm_");
    return {};
}

Status check_group(const AlertRule& rule) {
    if (rule.group == AlertGroup::none) return {};
    if (rule.event && rule.group == AlertGroup::subject)
        return wrong("group", "events have several subjects",
                     R"(use "region", "user", "process" or "none")");
    if (rule.event && !upwards(rule.comparison))
        return wrong("group", "a subject without events is unknown", R"(use "none", or > or >=)");
    if (!rule.event && !per_subject(rule.metric))
        return wrong("group", fmt::format("{} has no subjects", rule.metric), R"(use "none")");
    return {};
}

Status check_threshold(const AlertRule& rule) {
    const auto t = rule.threshold;
    if (!std::isfinite(t) || t < 0)
        return wrong("threshold", "the threshold is negative or not a number", "use 0 or more");
    if (rule.comparison == AlertComparison::below && t == 0)
        return wrong("threshold", "no value is below 0", R"(raise it, or use "<=")");
    if (rule.comparison == AlertComparison::at_least && t == 0)
        return wrong("threshold", "every value is at least 0", R"(raise it, or use ">")");
    if (unit_of(rule) == "ratio" && t > 1)
        return wrong("threshold", "a ratio is at most 1", "use 0.9 for 90 %");
    return {};
}

Status check_resolve(const AlertRule& rule) {
    if (!rule.resolve_threshold) return {};
    const auto r = *rule.resolve_threshold;
    const bool up = upwards(rule.comparison);
    if (!std::isfinite(r) || (up ? r > rule.threshold : r < rule.threshold))
        return wrong("resolve_threshold",
                     fmt::format("it is on the wrong side of the threshold, {}", rule.threshold),
                     fmt::format("use {} or {}", rule.threshold, up ? "less" : "more"));
    if (r < 0 || (rule.comparison == AlertComparison::at_least && r == 0))
        return wrong("resolve_threshold", "the alert would never be resolved", "raise it");
    const bool above_all = rule.comparison == AlertComparison::at_most ? r >= 1 : r > 1;
    if (!up && unit_of(rule) == "ratio" && above_all)
        return wrong("resolve_threshold", "the alert would never be resolved", "use less than 1");
    return {};
}

Status check_durations(const AlertRule& rule) {
    const auto within = [](const char* field, std::int64_t millis, std::int64_t least) -> Status {
        if (millis >= least && millis <= kDay) return {};
        return wrong(field, "the duration is out of range",
                     fmt::format("use {} ms to one day", least));
    };
    SHM_TRY(within("for_ms", rule.for_ms, 0));
    SHM_TRY(within("resolve_for_ms", rule.resolve_for_ms, 0));
    return within("window_ms", rule.window_ms, 1000);
}

}  // namespace

Status check(const AlertRule& rule) {
    SHM_TRY(check_name(rule.name));
    SHM_TRY(check_what(rule));
    SHM_TRY(check_threshold(rule));
    SHM_TRY(check_resolve(rule));
    SHM_TRY(check_group(rule));
    return check_durations(rule);
}

}  // namespace snakepit::shm
