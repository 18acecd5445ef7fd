// SPDX-License-Identifier: MIT
// One alert rule with a clock of the test's own.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "alerts/rule_watch.h"

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

// A watch with a clock; collects what it says as "F" (fired), "R" (resolved), "D" (dropped), "b"
// (began), "+" (returned).
class Bench {
  public:
    explicit Bench(const AlertRule& rule, FlapLimits flaps = {}) : watch_(rule, 15'000, flaps) {}

    std::string look(double value) {
        watch_.see(at(), value);
        return look();
    }
    std::string look() {
        changes.clear();
        watch_.look(at(), changes);
        std::string out;
        for (const auto& [turn, alert] : changes) out += "bDF+R"[static_cast<int>(turn)];
        ++second;
        return out;
    }
    void event(std::int64_t pid = 1, std::uint32_t uid = 7, std::uint32_t count = 0) {
        const SeenEvent event{at(), *watch_.rule().event, count, pid, uid, {}, "t"};
        if (watch_.wants(event)) watch_.see(event);
    }
    Timestamp at() const { return {second * 1'000'000}; }
    RuleWatch& watch() { return watch_; }

    std::int64_t second = kStart;
    std::vector<AlertChange> changes;

  private:
    RuleWatch watch_;
};

inline std::string run(Bench& bench, std::initializer_list<double> values) {
    std::string out;
    for (const auto value : values) {
        const auto said = bench.look(value);
        out += said.empty() ? "." : said;
    }
    return out;
}

}  // namespace snakepit::shm::test
