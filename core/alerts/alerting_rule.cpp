// SPDX-License-Identifier: MIT
#include "alerts/alerting_rule.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include <QJsonDocument>
#include <QJsonObject>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/units.h"
#include "events/event_detail.h"
#include "security/name_resolver.h"

namespace snakepit::shm {

namespace {

// Of one rule; further subjects are counted together, so that a user cannot fill the memory.
constexpr std::size_t kMostSubjects = 1000;
constexpr auto kOthers = "others";

}  // namespace

ObservedEvent observed(const layout::EventEntry& entry) {
    ObservedEvent out{{entry.time},
                      static_cast<EventKind>(entry.kind),
                      entry.count,
                      entry.pid,
                      entry.uid,
                      {},
                      {}};
    if (entry.id_micros != 0) out.region = RegionId{entry.id_micros, entry.id_random}.str();
    const auto* end = std::find(std::begin(entry.text), std::end(entry.text), '\0');
    out.text.assign(std::begin(entry.text), end);
    return out;
}

ObservedEvent observed(const EventRow& row) {
    ObservedEvent out{row.time, row.kind, 0, row.pid, row.uid, row.region_id, {}};
    const auto detail = QJsonDocument::fromJson(QByteArray::fromStdString(row.detail)).object();
    const auto count = count_name(row.kind);
    const auto name = QLatin1String(count.data(), static_cast<qsizetype>(count.size()));
    out.count = static_cast<std::uint32_t>(std::clamp(detail[name].toDouble(), 0.0, 4294967295.0));
    for (const auto& value : detail) {
        if (!value.isString()) continue;
        if (!out.text.empty()) out.text += ": ";
        out.text += value.toString().toStdString();
    }
    return out;
}

void AlertingRule::Window::add(std::int64_t second, double number) {
    sum += number;
    // They come in the order of the ring, which is nearly that of their times.
    if (!parts.empty() && parts.back().first >= second)
        parts.back().second += number;
    else
        parts.emplace_back(second, number);
}

void AlertingRule::Window::drop_until(std::int64_t time) {
    while (!parts.empty() && parts.front().first <= time) {
        sum -= parts.front().second;
        parts.pop_front();
    }
    if (parts.empty()) sum = 0;  // sums of fractions are not exact
}

void AlertingRule::Window::shift(std::int64_t by) {
    for (auto& [second, number] : parts) second += by;
}

AlertingRule::AlertingRule(AlertRule rule, std::int64_t max_gap_ms, FlapLimits flaps)
    : rule_(std::move(rule)),
      unit_(unit_of(rule_)),
      condition_(condition_text(rule_)),
      flaps_(flaps),
      window_(rule_.window_ms * 1000),
      max_gap_(max_gap_ms * 1000) {
    const auto* metric = find_metric(rule_.metric);
    counter_ = metric && metric->kind == MetricKind::counter;
}

// ------------------------------------------------------------------ observing
void AlertingRule::observe(Timestamp at, double value) {
    if (!counter_) {
        readings_.push_back({{}, value, {}});
        return;
    }
    if (std::isnan(value)) return;
    if (counted_ && value > *counted_) windows_[{}].add(at.micros, value - *counted_);
    counted_ = value;
}

void AlertingRule::observe(std::span<const SubjectValue> values) {
    const SubjectValue* highest = nullptr;
    for (const auto& value : values) {
        if (value.metric != rule_.metric) continue;
        if (rule_.group != AlertGroup::none)
            readings_.push_back({value.subject, value.value, value.evidence});
        else if (!highest || value.value > highest->value)
            highest = &value;
    }
    if (!highest) return;
    readings_.push_back(
        {{}, highest->value, fmt::format("{}: {}", highest->subject, highest->evidence)});
}

std::string AlertingRule::subject_of(const ObservedEvent& event) {
    switch (rule_.group) {
        case AlertGroup::region:
            return event.region;
        case AlertGroup::user: {
            auto& name = users_[event.uid];
            if (name.empty()) name = user_name(event.uid);
            return name;
        }
        case AlertGroup::process:
            return fmt::format("process {}", event.pid);
        case AlertGroup::none:
        case AlertGroup::subject:
            break;
    }
    return {};
}

void AlertingRule::observe(const ObservedEvent& event) {
    auto subject = subject_of(event);
    if (windows_.size() >= kMostSubjects && !windows_.contains(subject)) subject = kOthers;
    auto& window = windows_[subject];
    window.add(event.time.micros / kMicrosPerSecond * kMicrosPerSecond, 1);
    window.last = event.text;
    if (event.pid != 0 && rule_.group != AlertGroup::process)
        window.last += fmt::format("{}process {}", window.last.empty() ? "" : ", ", event.pid);
    if (!event.region.empty() && rule_.group != AlertGroup::region)
        window.last += fmt::format("{}region {}", window.last.empty() ? "" : ", ", event.region);
}

bool AlertingRule::was_gap(Timestamp at) const {
    return last_ != 0 && (at.micros < last_ || at.micros - last_ > max_gap_);
}

// Makes readings of what the windows hold at this moment.
void AlertingRule::read_windows(Timestamp at) {
    // What was observed before the clock was set back would stay in its window until the clock is
    // there again. Events come a little out of order: that is not a step.
    const auto back = last_ - at.micros;
    if (last_ != 0 && back > max_gap_)
        for (auto& [subject, window] : windows_) window.shift(-back);
    if (last_ == 0 || was_gap(at)) watched_since_ = at.micros;
    // "Fewer than" is known when a whole window was watched.
    const bool early = !upwards(rule_.comparison) && at.micros - watched_since_ < window_;
    if (rule_.group == AlertGroup::none) windows_.try_emplace({});
    for (auto it = windows_.begin(); it != windows_.end();) {
        auto& [subject, window] = *it;
        window.drop_until(at.micros - window_);
        if (window.parts.empty() && rule_.group != AlertGroup::none) {
            it = windows_.erase(it);
            continue;
        }
        std::string evidence;
        if (rule_.event && !window.parts.empty())
            evidence = fmt::format("{:.0f} in {}{}{}", window.sum, format_duration(rule_.window_ms),
                                   window.last.empty() ? "" : "; the last: ", window.last);
        readings_.push_back({subject, early ? NAN : window.sum, std::move(evidence)});
        ++it;
    }
}

// ----------------------------------------------------------------- evaluating
void AlertingRule::evaluate(Timestamp at, Changes& changes) {
    if (rule_.event || counter_) read_windows(at);
    if (was_gap(at)) forget_gap(at);
    last_ = at.micros;
    for (const auto& reading : readings_) {
        const auto found = tracks_.find(reading.subject);
        if (found == tracks_.end() && !holds(rule_.comparison, reading.value, rule_.threshold))
            continue;
        auto& track = found == tracks_.end() ? tracks_[reading.subject] : found->second;
        track.seen = true;
        step(track, at, reading, changes);
    }
    readings_.clear();
    for (auto it = tracks_.begin(); it != tracks_.end();) {
        auto& track = it->second;
        if (!std::exchange(track.seen, false) && track.active) {
            if (track.alert.state == Alert::State::pending)
                finish(track, at, changes);
            else
                stay(track, at, NAN, changes);
        }
        trim(track.fired, at);
        it = !track.active && track.fired.empty() ? tracks_.erase(it) : std::next(it);
    }
}

void AlertingRule::forget_gap(Timestamp at) {
    for (auto& [subject, track] : tracks_) {
        // After a clock was set back, firings that lie in the future would never become old.
        for (auto& fired : track.fired) fired = std::min(fired, at.micros);
        if (!track.active) continue;
        if (track.alert.state == Alert::State::pending) track.alert.since = at;
        if (track.inactive_since != 0) track.inactive_since = at.micros;
    }
}

void AlertingRule::follow_clock(std::int64_t step) {
    for (auto& [subject, window] : windows_) window.shift(step);
    if (last_ != 0) {
        last_ += step;
        watched_since_ += step;
    }
    for (auto& [subject, track] : tracks_) {
        for (auto& fired : track.fired) fired += step;
        if (track.active && track.alert.state == Alert::State::pending)
            track.alert.since.micros += step;
        if (track.inactive_since != 0) track.inactive_since += step;
    }
}

void AlertingRule::step(Track& track, Timestamp at, const Reading& reading, Changes& changes) {
    if (std::isnan(reading.value)) {  // unknown, so no time passes
        if (track.active && track.alert.state == Alert::State::pending) track.alert.since = at;
        if (track.inactive_since != 0) track.inactive_since = at.micros;
        return;
    }
    const bool held = holds(rule_.comparison, reading.value, rule_.threshold);
    if (!track.active) {
        if (held) begin(track, at, reading, changes);
        return;
    }
    describe(track.alert, reading);
    if (track.alert.state == Alert::State::firing)
        stay(track, at, reading.value, changes);
    else if (!held)
        finish(track, at, changes);
    else if (at.micros - track.alert.since.micros >= rule_.for_ms * 1000)
        fire(track, at, changes);
}

void AlertingRule::copy_rule(Alert& alert) const {
    alert.rule = rule_.name;
    alert.title = rule_.title.empty() ? rule_.name : rule_.title;
    alert.severity = rule_.severity;
    alert.threshold = rule_.threshold;
    alert.unit = unit_;
    alert.remedy = rule_.remedy;
}

void AlertingRule::begin(Track& track, Timestamp at, const Reading& reading, Changes& changes) {
    track.active = true;
    track.inactive_since = 0;
    track.damped = false;
    track.alert = {};
    copy_rule(track.alert);
    track.alert.subject = reading.subject;
    track.alert.worst = reading.value;
    track.alert.since = at;
    describe(track.alert, reading);
    changes.push_back({AlertTransition::began, track.alert});
    if (rule_.for_ms == 0) fire(track, at, changes);
}

void AlertingRule::describe(Alert& alert, const Reading& reading) const {
    alert.value = reading.value;
    if (upwards(rule_.comparison) ? reading.value > alert.worst : reading.value < alert.worst)
        alert.worst = reading.value;
    // The evidence stays that of the time when the condition held.
    if (!holds(rule_.comparison, reading.value, rule_.threshold)) return;
    alert.evidence =
        reading.evidence.empty()
            ? fmt::format("{} now; the rule: {}", value_text(reading.value, unit_), condition_)
            : reading.evidence;
}

void AlertingRule::trim(std::deque<std::int64_t>& fired, Timestamp at) const {
    const auto from = at.micros - flaps_.within_ms * 1000;
    while (!fired.empty() && (fired.front() <= from || fired.size() > flaps_.firings + 1))
        fired.pop_front();
}

void AlertingRule::fire(Track& track, Timestamp at, Changes& changes) {
    track.alert.state = Alert::State::firing;
    track.alert.fired_at = at;
    track.fired.push_back(at.micros);
    trim(track.fired, at);
    track.alert.flapping = track.fired.size() > flaps_.firings;
    changes.push_back({AlertTransition::fired, track.alert});
}

// A firing alert stays or is resolved. `value` is not a number when its subject has no reading.
void AlertingRule::stay(Track& track, Timestamp at, double value, Changes& changes) {
    // A damped alert returns as any other would begin: by the threshold.
    const auto threshold =
        track.damped ? rule_.threshold : rule_.resolve_threshold.value_or(rule_.threshold);
    if (!std::isnan(value) && holds(rule_.comparison, value, threshold)) {
        track.inactive_since = 0;
        if (!std::exchange(track.damped, false)) return;
        ++track.alert.times_fired;
        changes.push_back({AlertTransition::returned, track.alert});
        return;
    }
    if (track.inactive_since == 0) track.inactive_since = at.micros;
    const auto inactive = at.micros - track.inactive_since;
    if (inactive < rule_.resolve_for_ms * 1000) return;
    track.damped = track.alert.flapping && inactive < flaps_.inactive_ms * 1000;
    if (!track.damped) finish(track, at, changes);
}

// Resolves an alert that fires; drops one that is pending.
void AlertingRule::finish(Track& track, Timestamp at, Changes& changes) {
    track.active = false;
    const bool fired = track.alert.state == Alert::State::firing;
    if (fired) {
        track.alert.state = Alert::State::resolved;
        track.alert.resolved_at = at;
    }
    changes.push_back({fired ? AlertTransition::resolved : AlertTransition::dropped, track.alert});
}

bool AlertingRule::fires() const {
    return std::any_of(tracks_.begin(), tracks_.end(), [](const auto& entry) {
        return entry.second.active && entry.second.alert.state == Alert::State::firing;
    });
}

// ------------------------------------------------------------- across restarts
void AlertingRule::restore(const Alert& alert) {
    auto& track = tracks_[alert.subject];
    track.active = true;
    track.alert = alert;
    copy_rule(track.alert);  // it may have changed meanwhile
}

void AlertingRule::fired_before(const std::string& subject, Timestamp at) {
    auto& fired = tracks_[subject].fired;
    fired.insert(std::upper_bound(fired.begin(), fired.end(), at.micros), at.micros);
}

void AlertingRule::end(Timestamp at, Changes& changes) {
    for (auto& [subject, track] : tracks_)
        if (track.active) finish(track, at, changes);
}

}  // namespace snakepit::shm
