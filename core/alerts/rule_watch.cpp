// SPDX-License-Identifier: MIT
#include "alerts/rule_watch.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <QJsonDocument>
#include <QJsonObject>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/units.h"
#include "events/event_detail.h"
#include "security/name_resolver.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kSecond = 1'000'000;
// Of one rule; what further ones do is counted together, so that nobody can fill the memory.
constexpr std::size_t kMostSubjects = 1000;
constexpr auto kOthers = "others";

std::int64_t second_of(Timestamp time) {
    return time.micros / kSecond * kSecond;
}

}  // namespace

SeenEvent seen(const layout::EventEntry& entry) {
    SeenEvent out{{entry.time},
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

SeenEvent seen(const EventRow& row) {
    SeenEvent out{row.time, row.kind, 0, row.pid, row.uid, row.region_id, {}};
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

void RuleWatch::Window::add(std::int64_t second, double number) {
    sum += number;
    // They come in the order of the ring, which is nearly that of their times.
    if (!parts.empty() && parts.back().first >= second)
        parts.back().second += number;
    else
        parts.emplace_back(second, number);
}

void RuleWatch::Window::forget(std::int64_t until) {
    while (!parts.empty() && parts.front().first <= until) {
        sum -= parts.front().second;
        parts.pop_front();
    }
    if (parts.empty()) sum = 0;  // sums of fractions leave traces
}

void RuleWatch::Window::set_back(std::int64_t by) {
    for (auto& [second, number] : parts) second -= by;
}

RuleWatch::RuleWatch(AlertRule rule, std::int64_t max_gap_ms, FlapLimits flaps)
    : evaluator_(std::move(rule), max_gap_ms, flaps), max_gap_(max_gap_ms * 1000) {
    const auto& own = evaluator_.rule();
    const auto* metric = find_metric(own.metric);
    window_ = own.window_ms * 1000;
    counter_ = metric && metric->kind == MetricKind::counter;
    downwards_ =
        own.comparison == AlertComparison::below || own.comparison == AlertComparison::at_most;
}

void RuleWatch::see(Timestamp at, double value) {
    if (!counter_) {
        readings_.push_back({{}, value, {}});
        return;
    }
    if (std::isnan(value)) return;
    if (counted_ && value > *counted_) windows_[{}].add(at.micros, value - *counted_);
    counted_ = value;
}

void RuleWatch::see(std::span<const SubjectValue> values) {
    const SubjectValue* highest = nullptr;
    for (const auto& value : values) {
        if (value.metric != rule().metric) continue;
        if (rule().group != AlertGroup::none)
            readings_.push_back({value.subject, value.value, value.evidence});
        else if (!highest || value.value > highest->value)
            highest = &value;
    }
    if (!highest) return;
    readings_.push_back(
        {{}, highest->value, fmt::format("{}: {}", highest->subject, highest->evidence)});
}

std::string RuleWatch::subject_of(const SeenEvent& event) {
    switch (rule().group) {
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

void RuleWatch::see(const SeenEvent& event) {
    auto subject = subject_of(event);
    if (windows_.size() >= kMostSubjects && !windows_.contains(subject)) subject = kOthers;
    auto& window = windows_[subject];
    window.add(second_of(event.time), 1);
    window.last = event.text;
    if (event.pid != 0 && rule().group != AlertGroup::process)
        window.last += fmt::format("{}process {}", window.last.empty() ? "" : ", ", event.pid);
    if (!event.region.empty() && rule().group != AlertGroup::region)
        window.last += fmt::format("{}region {}", window.last.empty() ? "" : ", ", event.region);
}

// What was seen before a clock was set back would stay in its window until the clock is there
// again, and all that is seen until then with it. Events come a little out of order; that is no
// such thing.
void RuleWatch::notice_set_back(Timestamp at) {
    const auto back = last_look_ - at.micros;
    if (last_look_ == 0 || back <= max_gap_) return;
    for (auto& [subject, window] : windows_) window.set_back(back);
}

void RuleWatch::follow_clock(std::int64_t step) {
    for (auto& [subject, window] : windows_) window.set_back(-step);
    if (last_look_ != 0) {
        last_look_ += step;
        watched_since_ += step;
    }
    evaluator_.follow_clock(step);
}

// What the windows hold at this moment.
void RuleWatch::collect(Timestamp at) {
    notice_set_back(at);
    if (last_look_ == 0 || at.micros < last_look_ || at.micros - last_look_ > max_gap_)
        watched_since_ = at.micros;
    // "Fewer than" is known when a whole window was watched.
    const bool early = downwards_ && at.micros - watched_since_ < window_;
    if (rule().group == AlertGroup::none) windows_.try_emplace({});
    for (auto it = windows_.begin(); it != windows_.end();) {
        auto& [subject, window] = *it;
        window.forget(at.micros - window_);
        if (window.parts.empty() && rule().group != AlertGroup::none) {
            it = windows_.erase(it);
            continue;
        }
        std::string evidence;
        if (rule().event && !window.parts.empty())
            evidence =
                fmt::format("{:.0f} in {}{}{}", window.sum, format_duration(rule().window_ms),
                            window.last.empty() ? "" : "; the last: ", window.last);
        readings_.push_back({subject, early ? NAN : window.sum, std::move(evidence)});
        ++it;
    }
}

void RuleWatch::look(Timestamp at, std::vector<AlertChange>& changes) {
    if (rule().event || counter_) collect(at);
    last_look_ = at.micros;
    evaluator_.look(at, readings_, changes);
    readings_.clear();
}

}  // namespace snakepit::shm
