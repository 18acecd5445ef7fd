// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "alerts/alert.h"
#include "events/event_reader.h"
#include "layout/metrics.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

// The parts of an event that rules use.
struct ObservedEvent {
    Timestamp time;
    EventKind kind{};
    std::uint32_t count = 0;  // meaning: see layout/event_kind.h
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::string region;  // its id, or empty
    std::string text;    // the event's details, for people
};
ObservedEvent observed(const layout::EventEntry& entry);
ObservedEvent observed(const EventRow& row);

// An alert that fires more often than this in this time stays firing until it has been inactive for
// `inactive_ms`.
struct FlapLimits {
    std::uint32_t firings = 4;
    std::int64_t within_ms = 3'600'000;
    std::int64_t inactive_ms = 600'000;
};

enum class AlertTransition : std::uint8_t {
    began,     // pending
    dropped,   // the condition did not hold long enough
    fired,     //
    returned,  // while it flaps: counted, not notified
    resolved,  //
};
struct AlertChange {
    AlertTransition transition{};
    Alert alert;
};

// A longer pause between two evaluations is time that was not watched.
inline constexpr std::int64_t kMaxGapMs = 15'000;

// One rule at work: it observes metrics and events, and evaluates them to alerts, one for each
// subject: pending, firing, resolved. It has no clock and no source of its own, so that the
// recorded past can be evaluated as the present is.
//
// A subject without a value is inactive. A value that is not a number decides nothing. Time that
// was not watched (more than `max_gap_ms` between two evaluations, or a clock that was set back)
// counts neither as active nor as inactive: both begin again. One thread.
class AlertingRule {
  public:
    explicit AlertingRule(AlertRule rule, std::int64_t max_gap_ms = kMaxGapMs,
                          FlapLimits flaps = {});

    const AlertRule& rule() const { return rule_; }
    bool wants(const ObservedEvent& event) const {
        return rule_.event == event.kind && event.count >= rule_.count_at_least;
    }

    // The rule's metric now; not a number: unknown. A counter's value is what was counted since
    // its program started: a new start is not growth.
    void observe(Timestamp at, double value);
    void observe(std::span<const SubjectValue> values);
    // An event that it wants.
    void observe(const ObservedEvent& event);
    // Evaluates what was observed since the last call, and appends what changed. An alert that
    // begins has no id yet: see each().
    void evaluate(Timestamp at, std::vector<AlertChange>& changes);
    // The clock was set by `step` microseconds: all durations stay as long as they are.
    void follow_clock(std::int64_t step);

    // A firing alert of an earlier run goes on, notified and acknowledged as it is.
    void restore(const Alert& alert);
    // It fired at this time in an earlier run: for flapping.
    void fired_before(const std::string& subject, Timestamp at);
    // Resolves what fires and drops the rest: the rule is removed.
    void end(Timestamp at, std::vector<AlertChange>& changes);
    bool fires() const;
    // Visits every alert that is pending or fires; only its id, acknowledgement and silence may be
    // changed.
    template <typename Visit>
    void each(Visit visit) {
        for (auto& [subject, track] : tracks_)
            if (track.active) visit(track.alert);
    }

  private:
    using Changes = std::vector<AlertChange>;
    struct Reading {
        std::string subject;   // empty: the instance
        double value = 0;      // not a number: unknown
        std::string evidence;  // a sentence; empty: the value is enough
    };
    struct Window {  // counts by second, the oldest first
        std::deque<std::pair<std::int64_t, double>> parts;
        double sum = 0;
        std::string last;  // the latest event's details
        void add(std::int64_t second, double number);
        void drop_until(std::int64_t time);
        void shift(std::int64_t by);
    };
    struct Track {  // a subject
        bool active = false;
        bool seen = false;    // in this evaluation
        bool damped = false;  // it would be resolved if it did not flap
        Alert alert;
        std::int64_t inactive_since = 0;  // microseconds; 0: it is not
        std::deque<std::int64_t> fired;   // the latest firings, oldest first
    };

    std::string subject_of(const ObservedEvent& event);
    void read_windows(Timestamp at);
    bool was_gap(Timestamp at) const;
    void forget_gap(Timestamp at);
    void step(Track& track, Timestamp at, const Reading& reading, Changes& changes);
    void begin(Track& track, Timestamp at, const Reading& reading, Changes& changes);
    void fire(Track& track, Timestamp at, Changes& changes);
    void stay(Track& track, Timestamp at, double value, Changes& changes);
    void finish(Track& track, Timestamp at, Changes& changes);
    void copy_rule(Alert& alert) const;
    void describe(Alert& alert, const Reading& reading) const;
    void trim(std::deque<std::int64_t>& fired, Timestamp at) const;

    AlertRule rule_;
    std::string unit_, condition_;
    FlapLimits flaps_;
    std::int64_t window_, max_gap_;  // microseconds, as all below
    bool counter_ = false;
    std::optional<double> counted_;  // the counter's last value
    std::int64_t watched_since_ = 0, last_ = 0;
    std::map<std::string, Window> windows_;
    std::vector<Reading> readings_;  // for the next evaluation
    std::map<std::string, Track> tracks_;
    std::unordered_map<std::uint32_t, std::string> users_;
};

}  // namespace snakepit::shm
