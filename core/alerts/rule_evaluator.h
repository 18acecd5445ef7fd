// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/alert.h"

namespace snakepit::shm {

// What a rule finds at one moment, for one subject.
struct Reading {
    std::string subject;   // empty: the instance
    double value = 0;      // not a number: not known
    std::string evidence;  // a sentence; empty: the value says it all
};

// An alert that comes and goes more often than this in this time is kept firing until it has been
// calm for so long.
struct FlapLimits {
    std::uint32_t firings = 4;
    std::int64_t within_ms = 3'600'000;
    std::int64_t calm_ms = 600'000;
};

enum class AlertTurn : std::uint8_t {
    began,     // the condition holds; pending
    dropped,   // it did not hold long enough: nobody ever hears of it
    fired,     //
    returned,  // while it flaps: counted, told to nobody
    resolved,  //
};
struct AlertChange {
    AlertTurn turn{};
    Alert alert;
};

// One rule's life: pending, firing, resolved, for each of its subjects. It has no clock and knows
// nothing of where readings come from, so that the past can be looked at as the present is.
//
// A subject without a reading is calm: what there was to say of it is over. A reading that is not a
// number decides nothing. Time that nobody watched (longer than `max_gap_ms` between two looks, or
// a clock that was set back) counts neither as held nor as calm: both begin anew.
class RuleEvaluator {
  public:
    RuleEvaluator(AlertRule rule, std::int64_t max_gap_ms, FlapLimits flaps = {});

    const AlertRule& rule() const { return rule_; }
    // A firing alert of an earlier run goes on, told and acknowledged as it is.
    void restore(const Alert& alert);
    // It fired then, in an earlier run: for the damping.
    void fired_before(const std::string& subject, Timestamp at);
    // Appends what changed. A number for an alert that begins is up to the caller: see each().
    void look(Timestamp at, std::span<const Reading> readings, std::vector<AlertChange>& changes);
    // The clock that looks are timed by was set: what is pending, calm or flapping goes on as it
    // was.
    void follow_clock(std::int64_t step);
    // Resolves all that fires and drops the rest: the rule is no more.
    void end(Timestamp at, std::vector<AlertChange>& changes);
    // With every alert that is pending or fires; only what people add to it may be changed.
    template <typename Visit>
    void each(Visit visit) {
        for (auto& [subject, track] : tracks_)
            if (track.active) visit(track.alert);
    }

  private:
    struct Track {
        bool active = false;
        bool seen = false;         // in this look
        bool calm_enough = false;  // kept firing for the damping's sake alone
        Alert alert;
        std::int64_t calm_since = 0;     // microseconds; 0: it is not
        std::deque<std::int64_t> fired;  // the latest first-told moments, oldest first
    };
    using Changes = std::vector<AlertChange>;

    void step(Track& track, Timestamp at, const Reading& reading, Changes& changes);
    void begin(Track& track, Timestamp at, const Reading& reading, Changes& changes);
    void fire(Track& track, Timestamp at, Changes& changes);
    void stay(Track& track, Timestamp at, double value, Changes& changes);
    void resolve(Track& track, Timestamp at, Changes& changes);
    void describe(Track& track, const Reading& reading) const;
    void forget_gap(Timestamp at);
    bool worse(double value, double than) const;
    void trim(std::deque<std::int64_t>& fired, Timestamp at) const;

    AlertRule rule_;
    std::string unit_, condition_;
    std::int64_t max_gap_;  // microseconds, as all below
    FlapLimits flaps_;
    std::int64_t last_ = 0;
    std::map<std::string, Track> tracks_;
};

}  // namespace snakepit::shm
