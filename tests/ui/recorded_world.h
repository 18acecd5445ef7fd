// SPDX-License-Identifier: GPL-3.0-or-later
// A recorded past for the monitor: events and metrics of one hour, in which regions come and go.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>

#include <fmt/format.h>

#include "synthetic.h"

namespace snakepit::shm::ui {

inline constexpr std::int64_t kMinuteMicros = 60'000'000;

// Region number n is allocated at minute n, becomes an orphan 20 minutes later and is freed after
// 30. In minute 40 no manager ran.
class RecordedEvents : public EventSource {
  public:
    explicit RecordedEvents(std::shared_ptr<const std::vector<EventRow>> rows)
        : rows_(std::move(rows)) {}
    Result<std::vector<EventRow>> query(const EventQuery& query) override {
        std::vector<EventRow> out;
        const auto take = [&](const EventRow& row) {
            const bool wanted = row.seq > query.after_seq &&
                                (query.before_seq == 0 || row.seq < query.before_seq) &&
                                (!query.until || row.time < *query.until) &&
                                (!query.since || row.time >= *query.since) &&
                                (!query.region_id || row.region_id == *query.region_id) &&
                                (query.kinds.empty() ||
                                 std::count(query.kinds.begin(), query.kinds.end(), row.kind) > 0);
            if (wanted && std::ssize(out) < query.limit) out.push_back(row);
        };
        if (query.newest_first)
            std::for_each(rows_->rbegin(), rows_->rend(), take);
        else
            std::for_each(rows_->begin(), rows_->end(), take);
        return out;
    }
    void interrupt() override {}

  private:
    std::shared_ptr<const std::vector<EventRow>> rows_;
};

inline RegionId recorded_id(std::int64_t number, Timestamp start) {
    return {static_cast<std::uint64_t>(start.micros + number * kMinuteMicros),
            static_cast<std::uint64_t>(number) + 1};
}

inline std::shared_ptr<const std::vector<EventRow>> recorded_rows(Timestamp start) {
    std::vector<EventRow> rows;
    const auto add = [&](std::int64_t minute, EventKind kind, const std::string& detail,
                         std::int64_t number) {
        EventRow row;
        row.epoch = 5;
        row.time = {start.micros + minute * kMinuteMicros};
        row.kind = kind;
        row.result = "ok";
        row.detail = detail;
        row.pid = 7000 + number;
        if (number >= 0) row.region_id = recorded_id(number, start).str();
        rows.push_back(std::move(row));
    };
    add(0, EventKind::manager_started, R"({"clients":0,"regions":0})", -1);
    for (std::int64_t n = 0; n < 60; ++n) {
        add(n, EventKind::allocated,
            fmt::format(R"({{"size":{},"process":"made{}","cleanup":"manual"}})", (n + 1) * 1024,
                        n),
            n);
        add(n, EventKind::references,
            R"({"count":3,"holders":[{"pid":41,"process":"holder","count":3,"read_only":true}]})",
            n);
        if (n < 40) add(n + 20, EventKind::owner_gone, R"({"policy":"manual"})", n);
        if (n < 30) add(n + 30, EventKind::freed, R"({"size":4096,"reason":"deallocated"})", n);
    }
    add(40, EventKind::manager_stopped, "{}", -1);
    add(41, EventKind::manager_started, R"({"clients":0,"regions":30})", -1);
    std::stable_sort(rows.begin(), rows.end(),
                     [](const EventRow& a, const EventRow& b) { return a.time < b.time; });
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].seq = static_cast<std::int64_t>(i) + 1;
    return std::make_shared<const std::vector<EventRow>>(std::move(rows));
}

// A value every ten seconds; used bytes grow by a KiB a minute. Nothing in minute 40.
class RecordedMetricsOfAnHour : public HistoryPort {
  public:
    explicit RecordedMetricsOfAnHour(Timestamp start) : start_(start) {}
    Result<std::vector<std::vector<MetricPoint>>> series(const std::vector<std::string>& metrics,
                                                         Timestamp from, Timestamp to,
                                                         std::size_t) override {
        ++asked;
        std::vector<std::vector<MetricPoint>> out(metrics.size());
        for (std::size_t i = 0; i < metrics.size(); ++i)
            for (std::int64_t at = start_.micros; at < start_.micros + 60 * kMinuteMicros;
                 at += kMinuteMicros / 6) {
                const auto minute = (at - start_.micros) / kMinuteMicros;
                if (at < from.micros || at >= to.micros || minute == 40) continue;
                const auto value = metrics[i] == "used_bytes" ? static_cast<double>(minute) * 1024
                                                              : static_cast<double>(minute);
                out[i].push_back({{at}, value, value, value, 10});
            }
        return out;
    }
    std::atomic<int> asked{0};

  private:
    Timestamp start_;
};

}  // namespace snakepit::shm::ui
