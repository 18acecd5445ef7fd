// SPDX-License-Identifier: MIT
// What no rule may say: it would watch nothing, never hold, or always.
#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "alerts/alert.h"
#include "layout/metrics.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kDay = 86'400'000;
constexpr std::size_t kLongestName = 64;

tl::unexpected<Error> wrong(std::string_view field, std::string_view what, std::string remedy) {
    return fail(ErrorCode::alert_rule_invalid, fmt::format("the rule: '{}': {}", field, what),
                std::move(remedy));
}

bool upwards(AlertComparison comparison) {
    return comparison == AlertComparison::above || comparison == AlertComparison::at_least;
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
    return wrong("name", "it is no name for a rule",
                 fmt::format("write at most {} letters, digits, - and _", kLongestName));
}

Status check_what(const AlertRule& rule) {
    if (rule.metric.empty() == !rule.event)
        return wrong(rule.event ? "event" : "metric",
                     rule.event ? "the rule has a metric too" : "the rule watches nothing",
                     "name either a metric or an event");
    if (rule.event && about_alerts(*rule.event))
        return wrong("event", "an alert about alerts would feed itself", "watch what they watch");
    if (!rule.event && rule.count_at_least > 0)
        return wrong("count_at_least", "only events have a count", "remove it");
    if (!rule.event && !find_metric(rule.metric) && !per_subject(rule.metric))
        return wrong("metric", fmt::format("there is no metric '{}'", rule.metric.substr(0, 80)),
                     "'snakepit-shm metrics' shows their names, with snakepit_shm_ in front");
    return {};
}

Status check_group(const AlertRule& rule) {
    if (rule.group == AlertGroup::none) return {};
    if (rule.event && rule.group == AlertGroup::subject)
        return wrong("group", "events have no one subject",
                     R"(write "region", "user", "process" or "none")");
    if (rule.event && !upwards(rule.comparison))
        return wrong("group", "who never does something cannot be known", R"(write "none")");
    if (!rule.event && !per_subject(rule.metric))
        return wrong("group", fmt::format("{} is one figure for all", rule.metric),
                     R"(write "none")");
    return {};
}

// Nothing that is measured is ever negative.
Status check_threshold(const AlertRule& rule) {
    const auto t = rule.threshold;
    if (!std::isfinite(t) || t < 0)
        return wrong("threshold", "nothing that is measured is negative", "write 0 or more");
    if (rule.comparison == AlertComparison::below && t == 0)
        return wrong("threshold", "nothing is ever below 0", R"(raise it, or write "<=")");
    if (rule.comparison == AlertComparison::at_least && t == 0)
        return wrong("threshold", "everything is at least 0", R"(raise it, or write ">")");
    if (unit_of(rule) == "ratio" && t > 1)
        return wrong("threshold", "a share is at most 1", "write 0.9 for 90 %");
    return {};
}

Status check_resolve(const AlertRule& rule) {
    if (!rule.resolve_threshold) return {};
    const auto r = *rule.resolve_threshold;
    const bool up = upwards(rule.comparison);
    if (!std::isfinite(r) || (up ? r > rule.threshold : r < rule.threshold))
        return wrong("resolve_threshold",
                     fmt::format("it is on the wrong side of the threshold, {}", rule.threshold),
                     fmt::format("write {} or {}", rule.threshold, up ? "less" : "more"));
    if (r < 0 || (rule.comparison == AlertComparison::at_least && r == 0))
        return wrong("resolve_threshold", "it would never be resolved", "raise it");
    const bool above_all = rule.comparison == AlertComparison::at_most ? r >= 1 : r > 1;
    if (!up && unit_of(rule) == "ratio" && above_all)
        return wrong("resolve_threshold", "it would never be resolved", "write less than 1");
    return {};
}

Status check_durations(const AlertRule& rule) {
    const auto within = [](const char* field, std::int64_t millis, std::int64_t least) -> Status {
        if (millis >= least && millis <= kDay) return {};
        return wrong(field, "this duration is out of range",
                     fmt::format("write {} ms to one day", least));
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
