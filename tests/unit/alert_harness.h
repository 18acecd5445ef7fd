// SPDX-License-Identifier: MIT
// One alert rule with a clock of the test's own.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "alerts/alerting_rule.h"

namespace snakepit::shm::test {

inline constexpr std::int64_t kStart = 1'700'000'000;  // seconds

inline AlertRule rule_of(const char* metric, double threshold) {
    AlertRule rule;
    rule.name = "r";
    rule.metric = metric;
    rule.threshold = threshold;
    return rule;
}

inline AlertRule event_rule(EventKind kind, double at_least, std::int64_t window_s) {
    AlertRule rule;
    rule.name = "e";
    rule.event = kind;
    rule.comparison = AlertComparison::at_least;
    rule.threshold = at_least;
    rule.window_ms = window_s * 1000;
    return rule;
}

// An alerting rule with a clock; spells its transitions as "F" (fired), "R" (resolved), "D"
// (dropped), "b" (began), "+" (returned).
class Harness {
  public:
    explicit Harness(const AlertRule& rule, FlapLimits flaps = {})
        : rule_(rule, kMaxGapMs, flaps) {}

    std::string evaluate(double value) {
        rule_.observe(at(), value);
        return evaluate();
    }
    std::string evaluate() {
        changes.clear();
        rule_.evaluate(at(), changes);
        std::string out;
        for (const auto& [transition, alert] : changes)
            out += "bDF+R"[static_cast<int>(transition)];
        ++second;
        return out;
    }
    void event(std::int64_t pid = 1, std::uint32_t uid = 7, std::uint32_t count = 0) {
        const ObservedEvent event{at(), *rule_.rule().event, count, pid, uid, {}, "t"};
        if (rule_.wants(event)) rule_.observe(event);
    }
    Timestamp at() const { return {second * 1'000'000}; }
    AlertingRule& rule() { return rule_; }

    std::int64_t second = kStart;
    std::vector<AlertChange> changes;

  private:
    AlertingRule rule_;
};

inline std::string run(Harness& harness, std::initializer_list<double> values) {
    std::string out;
    for (const auto value : values) {
        const auto said = harness.evaluate(value);
        out += said.empty() ? "." : said;
    }
    return out;
}

}  // namespace snakepit::shm::test
