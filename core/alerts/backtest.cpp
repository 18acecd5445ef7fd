// SPDX-License-Identifier: MIT
#include "alerts/backtest.h"

#include <algorithm>

#include <fmt/format.h>

#include "layout/metrics.h"

namespace snakepit::shm {

namespace {

constexpr int kPage = 10'000;

double value_of(const AlertRule& rule, bool counter, const MetricPoint& point) {
    if (counter) return point.max;
    if (rule.for_ms > 0) return point.avg;
    return upwards(rule.comparison) ? point.max : point.min;
}

// Feeds the past to a rule, oldest first, and collects what it finds.
class Replay {
  public:
    Replay(const AlertRule& rule, Timestamp from, std::int64_t max_gap_ms, FlapLimits flaps = {})
        : rule_(rule, max_gap_ms, flaps),
          idle_after_(rule.window_ms * 1000 + 2 * kMicrosPerSecond),
          next_(from.micros) {
        out_.from = out_.to = from;
    }

    void point(Timestamp at, double value) {
        ++out_.points;
        rule_.observe(at, value);
        evaluate(at);
    }
    // Evaluates every second before the event.
    void event(const ObservedEvent& event) {
        evaluate_until({event.time.micros - 1});
        ++out_.points;
        if (!rule_.wants(event)) return;
        last_event_ = event.time.micros;
        rule_.observe(event);
    }
    void evaluate_until(Timestamp until);
    Backtest finish() {
        rule_.each([this](const Alert& alert) {
            if (alert.state == Alert::State::firing) close(alert, {});
        });
        return std::move(out_);
    }

  private:
    void evaluate(Timestamp at);
    bool idle();
    void close(const Alert& alert, Timestamp at);

    AlertingRule rule_;
    Backtest out_;
    std::int64_t idle_after_, next_, last_event_ = 0;  // microseconds
    std::vector<AlertChange> changes_;
};

void Replay::evaluate(Timestamp at) {
    changes_.clear();
    rule_.evaluate(at, changes_);
    for (const auto& [transition, alert] : changes_) {
        if (transition == AlertTransition::fired)
            out_.firings.push_back({alert.fired_at, {}, alert.subject, alert.worst});
        else if (transition == AlertTransition::resolved)
            close(alert, alert.resolved_at);
    }
    out_.to = at;
}

void Replay::evaluate_until(Timestamp until) {
    while (next_ <= until.micros) {
        if (idle()) {
            next_ += (until.micros - next_) / kMicrosPerSecond * kMicrosPerSecond;
            out_.to = {next_};
            next_ += kMicrosPerSecond;
            return;
        }
        evaluate({next_});
        next_ += kMicrosPerSecond;
    }
}

// No event is in a window, and no alert is pending or firing.
bool Replay::idle() {
    if (!upwards(rule_.rule().comparison)) return false;
    if (last_event_ != 0 && next_ - last_event_ <= idle_after_) return false;
    bool active = false;
    rule_.each([&](const Alert&) { active = true; });
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

Result<Backtest> backtest_metric(const AlertRule& rule, const std::string& metrics_db,
                                 Timestamp from, Timestamp to) {
    if (!find_metric(rule.metric))
        return fail(ErrorCode::not_supported,
                    fmt::format("no history of {}: it has a value for each subject", rule.metric),
                    "set the rule with short durations and watch it: 'snakepit-shm alerts rules "
                    "set'");
    MetricsReader reader(metrics_db);
    SHM_ASSIGN(const auto points, reader.points(rule.metric, from, to));
    return backtest(rule, points);
}

Result<Backtest> backtest_events(const AlertRule& rule, const std::string& events_db,
                                 Timestamp from, Timestamp to) {
    SHM_ASSIGN(auto reader, EventReader::open(events_db));
    EventQuery oldest;
    oldest.limit = 1;
    SHM_ASSIGN(const auto first, reader.query(oldest));
    const auto begin = first.empty() ? to : std::max(from, first.front().time);
    Replay run(rule, {begin.micros / kMicrosPerSecond * kMicrosPerSecond}, kMaxGapMs);
    EventQuery query;
    query.kind = rule.event;
    query.since = {begin.micros - rule.window_ms * 1000};
    query.until = to;
    query.limit = kPage;
    for (;;) {
        SHM_ASSIGN(const auto page, reader.query(query));
        for (const auto& row : page) run.event(observed(row));
        if (page.size() < static_cast<std::size_t>(kPage)) break;
        query.after_seq = page.back().seq;
    }
    run.evaluate_until(to);
    return run.finish();
}

}  // namespace

Result<Backtest> backtest(const AlertRule& rule, const std::string& metrics_db,
                          const std::string& events_db, Timestamp from, Timestamp to) {
    SHM_TRY(check(rule));
    if (rule.event) return backtest_events(rule, events_db, from, to);
    return backtest_metric(rule, metrics_db, from, to);
}

Backtest backtest(const AlertRule& rule, std::span<const MetricPoint> points, FlapLimits flaps) {
    const auto* metric = find_metric(rule.metric);
    const bool counter = metric && metric->kind == MetricKind::counter;
    std::int64_t longest = 0;
    for (const auto& point : points) longest = std::max(longest, point.seconds);
    Replay run(rule, points.empty() ? Timestamp{} : points.front().time,
               std::max(kMaxGapMs, 2000 * longest), flaps);
    for (const auto& point : points)
        run.point({point.time.micros + point.seconds * kMicrosPerSecond},
                  value_of(rule, counter, point));
    return run.finish();
}

Backtest backtest(const AlertRule& rule, std::span<const EventRow> events, Timestamp from,
                  Timestamp to, FlapLimits flaps) {
    Replay run(rule, from, kMaxGapMs, flaps);
    for (const auto& row : events) run.event(observed(row));
    run.evaluate_until(to);
    return run.finish();
}

}  // namespace snakepit::shm
