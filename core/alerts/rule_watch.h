// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "alerts/rule_evaluator.h"
#include "events/event_reader.h"
#include "layout/metrics.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

// As much of an event as rules look at.
struct SeenEvent {
    Timestamp time;
    EventKind kind{};
    std::uint32_t count = 0;  // what the kind says
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::string region;  // its id, or empty
    std::string text;    // what the event says, for people
};
SeenEvent seen(const layout::EventEntry& entry);
SeenEvent seen(const EventRow& row);

// One rule and what it needs to remember of what it sees: growth and numbers of events in its
// window. Metrics are shown to it before each look, events whenever they come.
class RuleWatch {
  public:
    RuleWatch(AlertRule rule, std::int64_t max_gap_ms, FlapLimits flaps = {});

    const AlertRule& rule() const { return evaluator_.rule(); }
    RuleEvaluator& evaluator() { return evaluator_; }
    bool wants(const SeenEvent& event) const {
        return rule().event == event.kind && event.count >= rule().count_at_least;
    }

    // The rule's metric as it is now; not a number: nobody knows. Of a counter all that was counted
    // since its program started: that it starts anew is no growth.
    void see(Timestamp at, double value);
    void see(std::span<const SubjectValue> values);
    // One that it wants.
    void see(const SeenEvent& event);
    void look(Timestamp at, std::vector<AlertChange>& changes);
    // The clock was set by `step`: what was seen is as long ago as it was.
    void follow_clock(std::int64_t step);

  private:
    struct Window {  // numbers by the second, the oldest first
        std::deque<std::pair<std::int64_t, double>> parts;
        double sum = 0;
        std::string last;  // what the latest event says
        void add(std::int64_t second, double number);
        void forget(std::int64_t until);  // what is not after this moment
        void set_back(std::int64_t by);   // as the clock was
    };
    void collect(Timestamp at);
    void notice_set_back(Timestamp at);
    std::string subject_of(const SeenEvent& event);

    RuleEvaluator evaluator_;
    std::int64_t window_;  // microseconds
    bool counter_ = false, downwards_ = false;
    std::optional<double> counted_;  // the counter's last value
    std::int64_t watched_since_ = 0;
    std::int64_t last_look_ = 0;
    std::int64_t max_gap_;
    std::map<std::string, Window> windows_;
    std::vector<Reading> readings_;  // of the look to come
    std::unordered_map<std::uint32_t, std::string> users_;
};

}  // namespace snakepit::shm
