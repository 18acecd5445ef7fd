// SPDX-License-Identifier: MIT
#include "alerts/rule_evaluator.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace snakepit::shm {

RuleEvaluator::RuleEvaluator(AlertRule rule, std::int64_t max_gap_ms, FlapLimits flaps)
    : rule_(std::move(rule)),
      unit_(unit_of(rule_)),
      condition_(condition_text(rule_)),
      max_gap_(max_gap_ms * 1000),
      flaps_(flaps) {}

void RuleEvaluator::restore(const Alert& alert) {
    auto& track = tracks_[alert.subject];
    track.active = true;
    track.alert = alert;
    // The rule's words may have changed meanwhile.
    track.alert.title = rule_.title.empty() ? rule_.name : rule_.title;
    track.alert.severity = rule_.severity;
    track.alert.threshold = rule_.threshold;
    track.alert.unit = unit_;
    track.alert.remedy = rule_.remedy;
}

void RuleEvaluator::fired_before(const std::string& subject, Timestamp at) {
    auto& fired = tracks_[subject].fired;
    fired.insert(std::upper_bound(fired.begin(), fired.end(), at.micros), at.micros);
}

bool RuleEvaluator::worse(double value, double than) const {
    const bool up =
        rule_.comparison == AlertComparison::above || rule_.comparison == AlertComparison::at_least;
    return up ? value > than : value < than;
}

void RuleEvaluator::trim(std::deque<std::int64_t>& fired, Timestamp at) const {
    const auto from = at.micros - flaps_.within_ms * 1000;
    while (!fired.empty() && (fired.front() <= from || fired.size() > flaps_.firings + 1))
        fired.pop_front();
}

void RuleEvaluator::forget_gap(Timestamp at) {
    if (last_ == 0 || (at.micros >= last_ && at.micros - last_ <= max_gap_)) return;
    for (auto& [subject, track] : tracks_) {
        // Firings of a time that is yet to come, by a clock that was set back, would never be old.
        for (auto& fired : track.fired) fired = std::min(fired, at.micros);
        if (!track.active) continue;
        if (track.alert.state == AlertState::pending) track.alert.since = at;
        if (track.calm_since != 0) track.calm_since = at.micros;
    }
}

void RuleEvaluator::follow_clock(std::int64_t step) {
    if (last_ != 0) last_ += step;
    for (auto& [subject, track] : tracks_) {
        for (auto& fired : track.fired) fired += step;
        if (track.active && track.alert.state == AlertState::pending)
            track.alert.since.micros += step;
        if (track.calm_since != 0) track.calm_since += step;
    }
}

void RuleEvaluator::look(Timestamp at, std::span<const Reading> readings, Changes& changes) {
    forget_gap(at);
    last_ = at.micros;
    for (const auto& reading : readings) {
        const auto found = tracks_.find(reading.subject);
        if (found == tracks_.end() && !holds(rule_.comparison, reading.value, rule_.threshold))
            continue;
        auto& track = found == tracks_.end() ? tracks_[reading.subject] : found->second;
        track.seen = true;
        step(track, at, reading, changes);
    }
    for (auto it = tracks_.begin(); it != tracks_.end();) {
        auto& track = it->second;
        if (!std::exchange(track.seen, false) && track.active) {
            if (track.alert.state == AlertState::pending) {
                track.active = false;
                changes.push_back({AlertTurn::dropped, track.alert});
            } else {
                stay(track, at, NAN, changes);
            }
        }
        trim(track.fired, at);
        it = !track.active && track.fired.empty() ? tracks_.erase(it) : std::next(it);
    }
}

void RuleEvaluator::step(Track& track, Timestamp at, const Reading& reading, Changes& changes) {
    if (std::isnan(reading.value)) {  // nobody knows, so no time passes
        if (track.active && track.alert.state == AlertState::pending) track.alert.since = at;
        if (track.calm_since != 0) track.calm_since = at.micros;
        return;
    }
    const bool held = holds(rule_.comparison, reading.value, rule_.threshold);
    if (!track.active) {
        if (held) begin(track, at, reading, changes);
        return;
    }
    describe(track, reading);
    if (track.alert.state == AlertState::firing) return stay(track, at, reading.value, changes);
    if (!held) {
        track.active = false;
        changes.push_back({AlertTurn::dropped, track.alert});
    } else if (at.micros - track.alert.since.micros >= rule_.for_ms * 1000) {
        fire(track, at, changes);
    }
}

void RuleEvaluator::begin(Track& track, Timestamp at, const Reading& reading, Changes& changes) {
    track.active = true;
    track.calm_since = 0;
    track.calm_enough = false;
    track.alert = {};
    track.alert.rule = rule_.name;
    track.alert.title = rule_.title.empty() ? rule_.name : rule_.title;
    track.alert.severity = rule_.severity;
    track.alert.subject = reading.subject;
    track.alert.worst = reading.value;
    track.alert.threshold = rule_.threshold;
    track.alert.unit = unit_;
    track.alert.remedy = rule_.remedy;
    track.alert.since = at;
    describe(track, reading);
    changes.push_back({AlertTurn::began, track.alert});
    if (rule_.for_ms == 0) fire(track, at, changes);
}

void RuleEvaluator::describe(Track& track, const Reading& reading) const {
    auto& alert = track.alert;
    alert.value = reading.value;
    if (worse(reading.value, alert.worst)) alert.worst = reading.value;
    // What it was when it was bad says more than what it is when it is over.
    if (!holds(rule_.comparison, reading.value, rule_.threshold)) return;
    alert.evidence =
        reading.evidence.empty()
            ? fmt::format("{} now; the rule: {}", value_text(reading.value, unit_), condition_)
            : reading.evidence;
}

void RuleEvaluator::fire(Track& track, Timestamp at, Changes& changes) {
    track.alert.state = AlertState::firing;
    track.alert.fired_at = at;
    track.fired.push_back(at.micros);
    trim(track.fired, at);
    track.alert.flapping = track.fired.size() > flaps_.firings;
    changes.push_back({AlertTurn::fired, track.alert});
}

// Of one that fires: `value` may be not a number, when its subject has no reading.
void RuleEvaluator::stay(Track& track, Timestamp at, double value, Changes& changes) {
    // Kept firing only by the damping, it comes back as any other would begin: by the threshold.
    const auto threshold =
        track.calm_enough ? rule_.threshold : rule_.resolve_threshold.value_or(rule_.threshold);
    if (!std::isnan(value) && holds(rule_.comparison, value, threshold)) {
        track.calm_since = 0;
        if (!std::exchange(track.calm_enough, false)) return;
        ++track.alert.times_fired;
        changes.push_back({AlertTurn::returned, track.alert});
        return;
    }
    if (track.calm_since == 0) track.calm_since = at.micros;
    const auto calm = at.micros - track.calm_since;
    const auto needed = rule_.resolve_for_ms * 1000;
    if (calm < needed) return;
    if (track.alert.flapping && calm < flaps_.calm_ms * 1000) {
        track.calm_enough = true;
        return;
    }
    resolve(track, at, changes);
}

void RuleEvaluator::resolve(Track& track, Timestamp at, Changes& changes) {
    track.active = false;
    track.alert.state = AlertState::resolved;
    track.alert.resolved_at = at;
    changes.push_back({AlertTurn::resolved, track.alert});
}

void RuleEvaluator::end(Timestamp at, Changes& changes) {
    for (auto& [subject, track] : tracks_) {
        if (!track.active) continue;
        if (track.alert.state == AlertState::firing) {
            resolve(track, at, changes);
        } else {
            track.active = false;
            changes.push_back({AlertTurn::dropped, track.alert});
        }
    }
}

}  // namespace snakepit::shm
