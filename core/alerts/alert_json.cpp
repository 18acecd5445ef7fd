// SPDX-License-Identifier: MIT
// What becomes of rules, alerts and silences as JSON.
#include <cmath>
#include <concepts>

#include <fmt/format.h>

#include "alerts/alert.h"
#include "base/json.h"

namespace snakepit::shm {

namespace {

class Object {
  public:
    Object& add(std::string_view name, std::string_view text) {
        key(name);
        append_json_string(out_, text);
        return *this;
    }
    Object& add(std::string_view name, const char* text) {
        return add(name, std::string_view(text));
    }
    Object& add(std::string_view name, bool flag) {
        key(name);
        out_ += flag ? "true" : "false";
        return *this;
    }
    Object& add(std::string_view name, double number) {
        key(name);
        out_ += std::isfinite(number) ? fmt::format("{}", number) : "null";
        return *this;
    }
    template <std::integral T>
    Object& add(std::string_view name, T number) {
        key(name);
        out_ += fmt::format("{}", number);
        return *this;
    }
    // Never is null.
    Object& add(std::string_view name, Timestamp time) {
        if (time.micros != 0) return add(name, std::string_view(to_rfc3339(time)));
        key(name);
        out_ += "null";
        return *this;
    }
    std::string str() const { return out_ + '}'; }

  private:
    void key(std::string_view name) {
        if (out_.size() > 1) out_ += ',';
        append_json_string(out_, name);
        out_ += ':';
    }
    std::string out_ = "{";
};

}  // namespace

std::string to_json(const AlertRule& rule) {
    Object out;
    out.add("name", rule.name).add("title", rule.title).add("severity", to_string(rule.severity));
    if (rule.event) {
        out.add("event", to_string(*rule.event));
        if (rule.count_at_least > 0) out.add("count_at_least", rule.count_at_least);
    } else {
        out.add("metric", rule.metric);
    }
    out.add("comparison", symbol(rule.comparison)).add("threshold", rule.threshold);
    if (rule.resolve_threshold) out.add("resolve_threshold", *rule.resolve_threshold);
    return out.add("for_ms", rule.for_ms)
        .add("resolve_for_ms", rule.resolve_for_ms)
        .add("window_ms", rule.window_ms)
        .add("group", to_string(rule.group))
        .add("enabled", rule.enabled)
        .add("built_in", rule.built_in)
        .add("remedy", rule.remedy)
        .str();
}

std::string to_json(const Alert& alert) {
    return Object()
        .add("id", alert.id)
        .add("rule", alert.rule)
        .add("title", alert.title)
        .add("severity", to_string(alert.severity))
        .add("state", to_string(alert.state))
        .add("subject", alert.subject)
        .add("value", alert.value)
        .add("worst", alert.worst)
        .add("threshold", alert.threshold)
        .add("unit", alert.unit)
        .add("evidence", alert.evidence)
        .add("remedy", alert.remedy)
        .add("since", alert.since)
        .add("fired_at", alert.fired_at)
        .add("resolved_at", alert.resolved_at)
        .add("acknowledged_by", alert.acknowledged_by)
        .add("acknowledgement", alert.acknowledgement)
        .add("acknowledged_at", alert.acknowledged_at)
        .add("silenced", alert.silenced)
        .add("flapping", alert.flapping)
        .add("times_fired", alert.times_fired)
        .str();
}

std::string to_json(const AlertSilence& silence) {
    return Object()
        .add("id", silence.id)
        .add("rule", silence.rule)
        .add("subject", silence.subject)
        .add("until", silence.until)
        .add("by", silence.by)
        .add("comment", silence.comment)
        .add("made_at", silence.made_at)
        .str();
}

}  // namespace snakepit::shm
