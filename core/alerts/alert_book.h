// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "alerts/alert_store.h"
#include "alerts/rule_watch.h"

namespace snakepit::shm {

// All rules, what they have found, and who is not to be told: what the manager knows of alerts,
// without the disk and without anybody who is told. One thread.
class AlertBook {
  public:
    // The default set, and what an earlier manager left of it and of others.
    explicit AlertBook(const AlertMemory& memory);

    // ---- looking
    // An event that some rule may want, at this moment. `again`: it was looked at by an earlier
    // manager, and only fills the windows.
    void see(Timestamp at, const SeenEvent& event, bool again, std::vector<AlertChange>& changes);
    bool wants(EventKind kind) const { return kinds_.contains(static_cast<int>(kind)); }
    std::int64_t longest_window() const;  // microseconds, of rules over events
    void look(Timestamp at, const layout::Sample& sample, std::span<const SubjectValue> subjects,
              std::vector<AlertChange>& changes);

    // The clock was set by so many microseconds: no duration is longer or shorter for it, and
    // silences end as long from now as they would have.
    void follow_clock(std::int64_t step);

    // ---- alerts
    std::vector<Alert> live();  // pending or firing, silenced marked, the worst first
    std::uint64_t firing() const { return firing_; }
    std::uint64_t unacknowledged() const { return unacknowledged_; }
    // Null: none with this number fires.
    const Alert* acknowledge(const Acknowledgement& what, const std::string& by, Timestamp at);
    bool told(std::uint64_t id) const { return told_.contains(id); }
    // Whether somebody should hear of it now; it counts as told from here on.
    bool tell(const Alert& alert, AlertSeverity least);
    // The same for all that fire: silences end.
    std::vector<Alert> to_tell(AlertSeverity least);
    void forget(std::uint64_t id) { told_.erase(id); }

    // ---- silences
    bool silenced(const Alert& alert) const;
    const std::vector<AlertSilence>& silences() const { return silences_; }
    // invalid_argument for one without an end that matches nothing, or too many.
    Result<AlertSilence> silence(AlertSilence what, Timestamp at);
    Result<AlertSilence> unsilence(std::uint64_t id);
    std::vector<AlertSilence> end_silences(Timestamp at);  // those that are over

    // ---- rules
    std::vector<AlertRule> rules() const;  // by name
    bool built_in(const std::string& name) const { return defaults_.contains(name); }
    Status may_set(const AlertRule& rule) const;
    // What it found goes on where that still makes sense, and is resolved where not.
    void set(AlertRule rule, Timestamp at, std::vector<AlertChange>& changes);
    // A rule of the default set is as it was made again. False: there is none of that name.
    bool remove(const std::string& name, Timestamp at, std::vector<AlertChange>& changes);
    const AlertRule* find(const std::string& name) const;
    // Fills the window of a rule that was set.
    void refill(const std::string& name, const SeenEvent& event);

  private:
    static constexpr std::size_t kMostRules = 500, kMostSilences = 100;
    void put(AlertRule rule);
    void number(RuleWatch& watch, std::vector<AlertChange>& changes, std::size_t from);
    void count();
    bool matches(const AlertSilence& silence, const Alert& alert) const;
    template <typename Visit>
    void each(Visit visit) {
        for (auto& [name, watch] : watches_) watch->evaluator().each(visit);
    }

    std::map<std::string, AlertRule> defaults_;
    std::map<std::string, std::unique_ptr<RuleWatch>> watches_;
    std::unordered_set<int> kinds_;
    std::vector<AlertSilence> silences_;
    std::unordered_set<std::uint64_t> told_;
    std::uint64_t last_alert_ = 0, last_silence_ = 0;
    std::uint64_t firing_ = 0, unacknowledged_ = 0;
};

}  // namespace snakepit::shm
