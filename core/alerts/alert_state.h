// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "alerts/alert_store.h"
#include "alerts/alerting_rule.h"

namespace snakepit::shm {

// All rules, alerts and silences of an instance, in memory. One thread.
class AlertState {
  public:
    // The default rules, and what an earlier manager stored.
    explicit AlertState(const AlertSnapshot& stored);

    // ---- evaluating
    // An event that a rule may want. `again`: an earlier manager evaluated it; it only fills the
    // windows.
    void observe(Timestamp at, const ObservedEvent& event, bool again,
                 std::vector<AlertChange>& changes);
    bool wants(EventKind kind) const { return kinds_.contains(static_cast<int>(kind)); }
    std::int64_t longest_window() const;  // microseconds, of rules about events
    void evaluate(Timestamp at, const layout::Sample& sample,
                  std::span<const SubjectValue> subjects, std::vector<AlertChange>& changes);
    // The clock was set by `step` microseconds: all durations, and those that silences have left,
    // stay as long as they are.
    void follow_clock(std::int64_t step);

    // ---- alerts
    std::vector<Alert> live();  // pending or firing, silenced marked, the worst first
    std::uint64_t firing() const { return firing_; }
    std::uint64_t unacknowledged() const { return unacknowledged_; }
    // Null: no alert with this id fires.
    const Alert* acknowledge(const Acknowledgement& what, const std::string& by, Timestamp at);
    bool notified(std::uint64_t id) const { return notified_.contains(id); }
    // Whether it is to be notified now; it counts as notified from here on.
    bool notify(const Alert& alert, AlertSeverity least);
    // The same for all that fire: silences end.
    std::vector<Alert> pending_notifications(AlertSeverity least);
    void forget(std::uint64_t id) { notified_.erase(id); }

    // ---- silences
    bool silenced(const Alert& alert) const;
    const std::vector<AlertSilence>& silences() const { return silences_; }
    // invalid_argument for one without an end that matches no alert, or too many.
    Result<AlertSilence> silence(AlertSilence what, Timestamp at);
    Result<AlertSilence> unsilence(std::uint64_t id);
    std::vector<AlertSilence> end_silences(Timestamp at);  // returns those that ended

    // ---- rules
    std::vector<AlertRule> rules() const;  // by name
    bool built_in(const std::string& name) const { return defaults_.contains(name); }
    Status may_set(const AlertRule& rule) const;
    // Alerts of the rule that it replaces go on where they still fit, and are resolved otherwise.
    void set(AlertRule rule, Timestamp at, std::vector<AlertChange>& changes);
    // Resets a default rule, removes another. False: unknown name.
    bool remove(const std::string& name, Timestamp at, std::vector<AlertChange>& changes);
    const AlertRule* find(const std::string& name) const;
    // Fills the window of a rule that was set.
    void refill(const std::string& name, const ObservedEvent& event);

  private:
    static constexpr std::size_t kMostRules = 500, kMostSilences = 100;
    void put(AlertRule rule);
    void number(AlertingRule& rule, std::vector<AlertChange>& changes, std::size_t from);
    void count();
    bool fires(std::string_view rule) const;
    bool matches(const AlertSilence& silence, const Alert& alert) const;
    template <typename Visit>
    void each(Visit visit) {
        for (auto& [name, rule] : rules_) rule.each(visit);
    }

    std::map<std::string, AlertRule> defaults_;
    std::map<std::string, AlertingRule, std::less<>> rules_;
    std::unordered_set<int> kinds_;
    std::vector<AlertSilence> silences_;
    std::unordered_set<std::uint64_t> notified_;
    std::uint64_t last_alert_ = 0, last_silence_ = 0;
    std::uint64_t firing_ = 0, unacknowledged_ = 0;
};

}  // namespace snakepit::shm
