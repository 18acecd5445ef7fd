// SPDX-License-Identifier: MIT
// Rules are read strictly, since a mistyped condition would watch something else than was meant.
// Alerts and silences come from a manager, which may be newer: what is unknown is passed over.
#include <array>

#include <fmt/format.h>

#include "alerts/alert.h"
#include "alerts/json_fields.h"

namespace snakepit::shm {

namespace {

constexpr std::array kComparisons{AlertComparison::above, AlertComparison::at_least,
                                  AlertComparison::below, AlertComparison::at_most};
constexpr std::array kGroups{AlertGroup::none, AlertGroup::subject, AlertGroup::region,
                             AlertGroup::user, AlertGroup::process};
constexpr std::array kStates{AlertState::pending, AlertState::firing, AlertState::resolved};

// The one of `values` that `spell` spells like the member; absent: `out` stays.
template <typename T, std::size_t N, typename Spell>
Status choice(const JsonFields& fields, const char* name, const std::array<T, N>& values,
              Spell spell, T& out) {
    if (!fields.has(name)) return {};
    std::string text;
    SHM_TRY(fields.text(name, text));
    std::string choices;
    for (const auto value : values) {
        if (text == spell(value)) {
            out = value;
            return {};
        }
        choices += fmt::format("{}\"{}\"", choices.empty() ? "" : ", ", spell(value));
    }
    return fields.wrong(name, fmt::format("there is no '{}'", text.substr(0, 80)),
                        "write one of " + choices);
}

Status read_severity(const JsonFields& fields, AlertSeverity& out) {
    constexpr std::array kSeverities{AlertSeverity::info, AlertSeverity::warning,
                                     AlertSeverity::critical};
    return choice(
        fields, "severity", kSeverities, [](auto value) { return to_string(value); }, out);
}

Status read_what(const JsonFields& fields, AlertRule& rule) {
    SHM_TRY(fields.text("metric", rule.metric));
    std::string event;
    SHM_TRY(fields.text("event", event));
    if (!event.empty()) {
        rule.event = parse_event_kind(event);
        if (!rule.event)
            return fields.wrong("event", fmt::format("there is no event '{}'", event.substr(0, 80)),
                                "'snakepit-shm events' shows kinds of events");
    }
    std::uint64_t least = rule.count_at_least;
    SHM_TRY(fields.whole("count_at_least", least));
    if (least > UINT32_MAX) return fields.wrong("count_at_least", "this is too much", "lower it");
    rule.count_at_least = static_cast<std::uint32_t>(least);
    return {};
}

Status read_condition(const JsonFields& fields, AlertRule& rule) {
    for (const auto* name : {"name", "comparison", "threshold"})
        if (!fields.has(name)) return fields.wrong(name, "it is missing", "add it to the rule");
    SHM_TRY(read_what(fields, rule));
    SHM_TRY(choice(
        fields, "comparison", kComparisons, [](auto value) { return symbol(value); },
        rule.comparison));
    SHM_TRY(fields.number("threshold", rule.threshold));
    if (fields.has("resolve_threshold")) {
        rule.resolve_threshold = 0;
        SHM_TRY(fields.number("resolve_threshold", *rule.resolve_threshold));
    }
    SHM_TRY(fields.duration("for_ms", rule.for_ms));
    SHM_TRY(fields.duration("resolve_for_ms", rule.resolve_for_ms));
    SHM_TRY(fields.duration("window_ms", rule.window_ms));
    return choice(
        fields, "group", kGroups, [](auto value) { return to_string(value); }, rule.group);
}

Result<AlertRule> rule_from(const QJsonObject& object, std::string_view what) {
    const JsonFields fields(object, what, ErrorCode::alert_rule_invalid);
    SHM_TRY(fields.only({"name", "title", "severity", "metric", "event", "count_at_least",
                         "comparison", "threshold", "resolve_threshold", "for_ms", "resolve_for_ms",
                         "window_ms", "group", "enabled", "built_in", "remedy"}));
    AlertRule rule;
    SHM_TRY(read_condition(fields, rule));
    SHM_TRY(fields.line("name", rule.name, 64));
    SHM_TRY(fields.line("title", rule.title, 120));
    SHM_TRY(fields.line("remedy", rule.remedy, 400));
    SHM_TRY(fields.flag("enabled", rule.enabled));
    SHM_TRY(fields.flag("built_in", rule.built_in));
    SHM_TRY(read_severity(fields, rule.severity));
    SHM_TRY(check(rule));
    return rule;
}

Result<Alert> alert_from(const QJsonObject& object) {
    const JsonFields fields(object, "the alert", ErrorCode::protocol_error);
    Alert alert;
    SHM_TRY(fields.whole("id", alert.id));
    SHM_TRY(read_severity(fields, alert.severity));
    SHM_TRY(choice(
        fields, "state", kStates, [](auto value) { return to_string(value); }, alert.state));
    const std::pair<const char*, std::string*> texts[] = {
        {"rule", &alert.rule},
        {"title", &alert.title},
        {"subject", &alert.subject},
        {"unit", &alert.unit},
        {"evidence", &alert.evidence},
        {"remedy", &alert.remedy},
        {"acknowledged_by", &alert.acknowledged_by},
        {"acknowledgement", &alert.acknowledgement}};
    for (const auto& [name, out] : texts) SHM_TRY(fields.text(name, *out));
    const std::pair<const char*, double*> numbers[] = {
        {"value", &alert.value}, {"worst", &alert.worst}, {"threshold", &alert.threshold}};
    for (const auto& [name, out] : numbers) SHM_TRY(fields.number(name, *out));
    const std::pair<const char*, Timestamp*> times[] = {
        {"since", &alert.since},
        {"fired_at", &alert.fired_at},
        {"resolved_at", &alert.resolved_at},
        {"acknowledged_at", &alert.acknowledged_at}};
    for (const auto& [name, out] : times) SHM_TRY(fields.time(name, *out));
    SHM_TRY(fields.flag("silenced", alert.silenced));
    SHM_TRY(fields.flag("flapping", alert.flapping));
    std::uint64_t times_fired = 1;
    SHM_TRY(fields.whole("times_fired", times_fired));
    alert.times_fired = static_cast<std::uint32_t>(times_fired);
    return alert;
}

Result<AlertSilence> silence_from(const QJsonObject& object) {
    const JsonFields fields(object, "the silence", ErrorCode::protocol_error);
    AlertSilence silence;
    SHM_TRY(fields.whole("id", silence.id));
    SHM_TRY(fields.text("rule", silence.rule));
    SHM_TRY(fields.text("subject", silence.subject));
    SHM_TRY(fields.time("until", silence.until));
    SHM_TRY(fields.text("by", silence.by));
    SHM_TRY(fields.text("comment", silence.comment));
    SHM_TRY(fields.time("made_at", silence.made_at));
    return silence;
}

// {"<name>":[{…},…]}
template <typename Read>
auto list_of(std::string_view json, const char* name, ErrorCode code, Read read)
    -> Result<std::vector<typename decltype(read(QJsonObject()))::value_type>> {
    SHM_ASSIGN(const auto object, JsonFields::parse(json, "the answer", code));
    const auto list = object[QLatin1String(name)];
    if (!list.isArray()) return fail(code, fmt::format("the answer: '{}': this is no list", name));
    std::vector<typename decltype(read(QJsonObject()))::value_type> out;
    for (const auto& entry : list.toArray()) {
        if (!entry.isObject())
            return fail(code, fmt::format("the answer: '{}': there is no object in it", name));
        SHM_ASSIGN(auto one, read(entry.toObject()));
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace

Result<AlertRule> parse_rule(std::string_view json) {
    SHM_ASSIGN(const auto object,
               JsonFields::parse(json, "the rule", ErrorCode::alert_rule_invalid));
    return rule_from(object, "the rule");
}

Result<Alert> parse_alert(std::string_view json) {
    SHM_ASSIGN(const auto object, JsonFields::parse(json, "the alert", ErrorCode::protocol_error));
    return alert_from(object);
}

Result<AlertSilence> parse_silence(std::string_view json) {
    SHM_ASSIGN(const auto object,
               JsonFields::parse(json, "the silence", ErrorCode::protocol_error));
    return silence_from(object);
}

Result<std::vector<Alert>> parse_alerts(std::string_view json) {
    return list_of(json, "alerts", ErrorCode::protocol_error, alert_from);
}

Result<std::vector<AlertSilence>> parse_silences(std::string_view json) {
    return list_of(json, "silences", ErrorCode::protocol_error, silence_from);
}

Result<std::vector<AlertRule>> parse_rules(std::string_view json) {
    return list_of(json, "rules", ErrorCode::alert_rule_invalid,
                   [](const QJsonObject& object) { return rule_from(object, "a rule"); });
}

}  // namespace snakepit::shm
