// SPDX-License-Identifier: MIT
#include "alerts/replay.h"

#include <algorithm>

#include "layout/metrics.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMaxGapMs = 15'000;

double value_of(const AlertRule& rule, bool counter, const MetricPoint& point) {
    if (counter) return point.max;
    if (rule.for_ms > 0) return point.avg;
    const bool up =
        rule.comparison == AlertComparison::above || rule.comparison == AlertComparison::at_least;
    return up ? point.max : point.min;
}

}  // namespace

Replay::Replay(const AlertRule& rule, std::int64_t max_gap_ms, FlapLimits flaps)
    : watch_(rule, max_gap_ms, flaps), idle_after_(rule.window_ms * 1000) {}

void Replay::begin(Timestamp from) {
    out_.from = out_.to = from;
    next_ = from.micros;
}

void Replay::look(Timestamp at) {
    changes_.clear();
    watch_.look(at, changes_);
    for (const auto& [turn, alert] : changes_) {
        if (turn == AlertTurn::fired)
            out_.firings.push_back({alert.fired_at, {}, alert.subject, alert.worst});
        else if (turn == AlertTurn::resolved)
            close(alert, alert.resolved_at);
    }
    out_.to = at;
}

void Replay::look_until(Timestamp until) {
    while (next_ <= until.micros) {
        if (quiet()) {
            next_ += (until.micros - next_) / kSecond * kSecond;
            out_.to = {next_};
            next_ += kSecond;
            return;
        }
        look({next_});
        next_ += kSecond;
    }
}

void Replay::see(const SeenEvent& event) {
    ++out_.points;
    if (!watch_.wants(event)) return;
    last_event_ = event.time.micros;
    watch_.see(event);
}

// Nothing is in any window, and nothing pending or firing.
bool Replay::quiet() {
    const auto comparison = watch_.rule().comparison;
    if (comparison == AlertComparison::below || comparison == AlertComparison::at_most)
        return false;
    if (last_event_ != 0 && next_ - last_event_ <= idle_after_ + 2 * kSecond) return false;
    bool active = false;
    watch_.evaluator().each([&](const Alert&) { active = true; });
    return !active;
}

void Replay::close(const Alert& alert, Timestamp at) {
    const auto open =
        std::find_if(out_.firings.rbegin(), out_.firings.rend(), [&](const BacktestFiring& firing) {
            return firing.subject == alert.subject && firing.resolved_at.micros == 0;
        });
    if (open == out_.firings.rend()) return;
    open->resolved_at = at;
    open->worst = alert.worst;
}

Backtest Replay::finish() {
    watch_.evaluator().each([this](const Alert& alert) {
        if (alert.state == AlertState::firing) close(alert, {});
    });
    return std::move(out_);
}

Backtest replay(const AlertRule& rule, std::span<const MetricPoint> points, FlapLimits flaps) {
    const auto* metric = find_metric(rule.metric);
    const bool counter = metric && metric->kind == MetricKind::counter;
    std::int64_t longest = 0;
    for (const auto& point : points) longest = std::max(longest, point.seconds);
    Replay run(rule, std::max(kMaxGapMs, 2000 * longest), flaps);
    if (!points.empty()) run.begin(points.front().time);
    for (const auto& point : points) {
        const Timestamp end{point.time.micros + point.seconds * kSecond};
        run.watch().see(end, value_of(rule, counter, point));
        run.look(end);
    }
    run.counted(points.size());
    return run.finish();
}

Backtest replay(const AlertRule& rule, std::span<const EventRow> events, Timestamp from,
                Timestamp to, FlapLimits flaps) {
    Replay run(rule, kMaxGapMs, flaps);
    run.begin(from);
    for (const auto& row : events) {
        run.look_until({row.time.micros - 1});
        run.see(seen(row));
    }
    run.look_until(to);
    return run.finish();
}

}  // namespace snakepit::shm
