// SPDX-License-Identifier: MIT
#include "alerts/backtest.h"

#include <algorithm>

#include <fmt/format.h>

#include "alerts/replay.h"
#include "layout/metrics.h"

namespace snakepit::shm {

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMaxGapMs = 15'000;
constexpr int kPage = 10'000;

Result<Backtest> backtest_metric(const AlertRule& rule, const std::string& metrics_db,
                                 Timestamp from, Timestamp to) {
    if (!find_metric(rule.metric))
        return fail(
            ErrorCode::not_supported,
            fmt::format("no history is kept of {}: it is one figure for each subject", rule.metric),
            "try it with short durations and 'alerts rules set'");
    MetricsReader reader(metrics_db);
    SHM_ASSIGN(const auto points, reader.points(rule.metric, from, to));
    return replay(rule, points);
}

Result<Backtest> backtest_events(const AlertRule& rule, const std::string& events_db,
                                 Timestamp from, Timestamp to) {
    SHM_ASSIGN(auto reader, EventReader::open(events_db));
    EventQuery oldest;
    oldest.limit = 1;
    SHM_ASSIGN(const auto first, reader.query(oldest));
    const auto begin = first.empty() ? to : std::max(from, first.front().time);
    Replay run(rule, kMaxGapMs);
    run.begin({begin.micros / kSecond * kSecond});
    EventQuery query;
    query.kind = rule.event;
    query.since = {begin.micros - rule.window_ms * 1000};
    query.until = to;
    query.limit = kPage;
    for (;;) {
        SHM_ASSIGN(const auto page, reader.query(query));
        for (const auto& row : page) {
            run.look_until({row.time.micros - 1});
            run.see(seen(row));
        }
        if (page.size() < static_cast<std::size_t>(kPage)) break;
        query.after_seq = page.back().seq;
    }
    run.look_until(to);
    return run.finish();
}

}  // namespace

Result<Backtest> backtest(const AlertRule& rule, const std::string& metrics_db,
                          const std::string& events_db, Timestamp from, Timestamp to) {
    SHM_TRY(check(rule));
    if (rule.event) return backtest_events(rule, events_db, from, to);
    return backtest_metric(rule, metrics_db, from, to);
}

}  // namespace snakepit::shm
