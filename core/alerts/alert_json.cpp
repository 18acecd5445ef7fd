// SPDX-License-Identifier: MIT
// Rules, alerts and silences as JSON. Rules are read strictly, since a mistyped condition would
// watch something else than was meant. Alerts and silences come from a manager, which may be newer:
// unknown fields are ignored.
#include <array>
#include <cmath>
#include <concepts>

#include <fmt/format.h>

#include "alerts/alert.h"
#include "base/json.h"
#include "json/json_reader.h"

namespace snakepit::shm {

namespace {

constexpr std::array kSeverities{AlertSeverity::info, AlertSeverity::warning,
                                 AlertSeverity::critical};
constexpr std::array kStates{Alert::State::pending, Alert::State::firing, Alert::State::resolved};
constexpr std::array kGroups{AlertGroup::none, AlertGroup::subject, AlertGroup::region,
                             AlertGroup::user, AlertGroup::process};
constexpr std::array kComparisons{AlertComparison::above, AlertComparison::at_least,
                                  AlertComparison::below, AlertComparison::at_most};

// Writes the members of one object.
class Writer {
  public:
    Status operator()(std::string_view name, std::string_view text) {
        key(name);
        append_json_string(out_, text);
        return {};
    }
    Status operator()(std::string_view name, const std::string& text) {
        return (*this)(name, std::string_view(text));
    }
    Status operator()(std::string_view name, bool flag) {
        return raw(name, flag ? "true" : "false");
    }
    Status operator()(std::string_view name, double number) {
        return raw(name, std::isfinite(number) ? fmt::format("{}", number) : "null");
    }
    template <std::integral T>
    Status operator()(std::string_view name, T number) {
        return raw(name, fmt::format("{}", number));
    }
    template <typename T>
    requires std::is_enum_v<T> Status operator()(std::string_view name, T value) {
        return (*this)(name, to_string(value));
    }
    Status operator()(std::string_view name, Timestamp time) {
        return time.micros == 0 ? raw(name, "null") : (*this)(name, to_rfc3339(time));
    }
    std::string str() const { return out_ + '}'; }

  private:
    void key(std::string_view name) {
        if (out_.size() > 1) out_ += ',';
        append_json_string(out_, name);
        out_ += ':';
    }
    Status raw(std::string_view name, std::string_view value) {
        key(name);
        out_ += value;
        return {};
    }
    std::string out_ = "{";
};

// The one of `values` that is spelled as the member; absent: `out` stays.
template <typename T, std::size_t N>
Status choice(const JsonReader& json, const char* name, const std::array<T, N>& values, T& out) {
    std::string text(to_string(out));
    SHM_TRY(json.text(name, text));
    std::string choices;
    for (const auto value : values) {
        if (text == to_string(value)) {
            out = value;
            return {};
        }
        choices += fmt::format("{}\"{}\"", choices.empty() ? "" : ", ", to_string(value));
    }
    return json.wrong(name, fmt::format("unknown value '{}'", text.substr(0, 80)),
                      "use one of " + choices);
}

// Reads what Writer writes.
class Reader {
  public:
    explicit Reader(const JsonReader& json) : json_(json) {}
    Status operator()(const char* name, std::string& out) { return json_.text(name, out); }
    Status operator()(const char* name, bool& out) { return json_.flag(name, out); }
    Status operator()(const char* name, double& out) { return json_.number(name, out); }
    Status operator()(const char* name, std::uint64_t& out) { return json_.whole(name, out); }
    Status operator()(const char* name, std::uint32_t& out) { return json_.whole(name, out); }
    Status operator()(const char* name, Timestamp& out) { return json_.time(name, out); }
    Status operator()(const char* name, AlertSeverity& out) {
        return choice(json_, name, kSeverities, out);
    }
    Status operator()(const char* name, Alert::State& out) {
        return choice(json_, name, kStates, out);
    }

  private:
    const JsonReader& json_;
};

Status each(auto&) {
    return {};
}
// Names and members in turn.
template <typename Io, typename T, typename... Rest>
Status each(Io& io, const char* name, T& member, Rest&&... rest) {
    SHM_TRY(io(name, member));
    return each(io, rest...);
}

// The members in the order in which they are written.
Status members(auto&& io, auto& alert) requires requires {
    alert.fired_at;
}
{
    return each(io, "id", alert.id, "rule", alert.rule, "title", alert.title, "severity",
                alert.severity, "state", alert.state, "subject", alert.subject, "value",
                alert.value, "worst", alert.worst, "threshold", alert.threshold, "unit", alert.unit,
                "evidence", alert.evidence, "remedy", alert.remedy, "since", alert.since,
                "fired_at", alert.fired_at, "resolved_at", alert.resolved_at, "acknowledged_by",
                alert.acknowledged_by, "acknowledgement", alert.acknowledgement, "acknowledged_at",
                alert.acknowledged_at, "silenced", alert.silenced, "flapping", alert.flapping,
                "times_fired", alert.times_fired);
}
Status members(auto&& io, auto& silence) requires requires {
    silence.made_at;
}
{
    return each(io, "id", silence.id, "rule", silence.rule, "subject", silence.subject, "until",
                silence.until, "by", silence.by, "comment", silence.comment, "made_at",
                silence.made_at);
}

template <typename T>
std::string written(const T& value) {
    Writer out;
    (void)members(out, value);
    return out.str();
}

template <typename T>
Result<T> from(const JsonReader& json) {
    T out;
    SHM_TRY(members(Reader(json), out));
    return out;
}

Status read_subject(const JsonReader& json, AlertRule& rule) {
    SHM_TRY(json.text("metric", rule.metric));
    std::string event;
    SHM_TRY(json.text("event", event));
    if (!event.empty()) {
        rule.event = parse_event_kind(event);
        if (!rule.event)
            return json.wrong("event", fmt::format("unknown event '{}'", event.substr(0, 80)),
                              "'snakepit-shm events' shows the kinds of events");
    }
    return json.whole("count_at_least", rule.count_at_least);
}

template <>
Result<AlertRule> from<AlertRule>(const JsonReader& json) {
    SHM_TRY(json.only({"name", "title", "severity", "metric", "event", "count_at_least",
                       "comparison", "threshold", "resolve_threshold", "for_ms", "resolve_for_ms",
                       "window_ms", "group", "enabled", "built_in", "remedy"}));
    SHM_TRY(json.require({"name", "comparison", "threshold"}));
    AlertRule rule;
    SHM_TRY(read_subject(json, rule));
    SHM_TRY(choice(json, "comparison", kComparisons, rule.comparison));
    SHM_TRY(json.number("threshold", rule.threshold));
    if (json.has("resolve_threshold"))
        SHM_TRY(json.number("resolve_threshold", rule.resolve_threshold.emplace()));
    SHM_TRY(json.duration("for_ms", rule.for_ms));
    SHM_TRY(json.duration("resolve_for_ms", rule.resolve_for_ms));
    SHM_TRY(json.duration("window_ms", rule.window_ms));
    SHM_TRY(choice(json, "group", kGroups, rule.group));
    SHM_TRY(json.line("name", rule.name, 64));
    SHM_TRY(json.line("title", rule.title, 120));
    SHM_TRY(json.line("remedy", rule.remedy, 400));
    SHM_TRY(json.flag("enabled", rule.enabled));
    SHM_TRY(json.flag("built_in", rule.built_in));
    SHM_TRY(choice(json, "severity", kSeverities, rule.severity));
    SHM_TRY(check(rule));
    return rule;
}

template <typename T>
Result<T> parse(std::string_view json, std::string_view source, ErrorCode code) {
    SHM_ASSIGN(const auto reader, JsonReader::parse(json, source, code));
    return from<T>(reader);
}

// {"<name>":[{…},…]}
template <typename T>
Result<std::vector<T>> parse_list(std::string_view json, const char* name, ErrorCode code) {
    SHM_ASSIGN(const auto reader, JsonReader::parse(json, "the answer", code));
    SHM_TRY(reader.require({name}));
    SHM_ASSIGN(const auto rows, reader.children(name));
    std::vector<T> out;
    for (const auto& row : rows) {
        SHM_ASSIGN(auto one, from<T>(row));
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace

std::string to_json(const AlertRule& rule) {
    Writer out;
    (void)each(out, "name", rule.name, "title", rule.title, "severity", rule.severity);
    if (!rule.event) (void)out("metric", rule.metric);
    if (rule.event) (void)out("event", to_string(*rule.event));
    if (rule.event && rule.count_at_least > 0) (void)out("count_at_least", rule.count_at_least);
    (void)each(out, "comparison", rule.comparison, "threshold", rule.threshold);
    if (rule.resolve_threshold) (void)out("resolve_threshold", *rule.resolve_threshold);
    (void)each(out, "for_ms", rule.for_ms, "resolve_for_ms", rule.resolve_for_ms, "window_ms",
               rule.window_ms, "group", rule.group, "enabled", rule.enabled, "built_in",
               rule.built_in, "remedy", rule.remedy);
    return out.str();
}

std::string to_json(const Alert& alert) {
    return written(alert);
}

std::string to_json(const AlertSilence& silence) {
    return written(silence);
}

Result<AlertRule> parse_rule(std::string_view json) {
    return parse<AlertRule>(json, "the rule", ErrorCode::alert_rule_invalid);
}

Result<Alert> parse_alert(std::string_view json) {
    return parse<Alert>(json, "the alert", ErrorCode::protocol_error);
}

Result<AlertSilence> parse_silence(std::string_view json) {
    return parse<AlertSilence>(json, "the silence", ErrorCode::protocol_error);
}

Result<std::vector<Alert>> parse_alerts(std::string_view json) {
    return parse_list<Alert>(json, "alerts", ErrorCode::protocol_error);
}

Result<std::vector<AlertSilence>> parse_silences(std::string_view json) {
    return parse_list<AlertSilence>(json, "silences", ErrorCode::protocol_error);
}

Result<std::vector<AlertRule>> parse_rules(std::string_view json) {
    return parse_list<AlertRule>(json, "rules", ErrorCode::alert_rule_invalid);
}

}  // namespace snakepit::shm
