// SPDX-License-Identifier: MIT
#include "audit/summary.h"

#include <algorithm>
#include <unordered_map>

#include <QByteArray>
#include <QJsonDocument>
#include <QJsonObject>

#include "audit/history_page.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kKindsShown = 7;
constexpr std::string_view kOthers = "others";

std::size_t part_of(const ReportGraphs& graphs, Timestamp time) {
    const auto length = std::max<std::int64_t>(graphs.to.micros - graphs.from.micros, 1);
    const auto at = std::clamp<std::int64_t>(time.micros - graphs.from.micros, 0, length - 1);
    return static_cast<std::size_t>(static_cast<double>(at) / static_cast<double>(length) *
                                    static_cast<double>(kGraphPoints));
}

std::uint64_t size_of(const EventRow& row) {
    const auto size = QJsonDocument::fromJson(QByteArray::fromStdString(row.detail))["size"];
    return size.isDouble() ? static_cast<std::uint64_t>(size.toDouble()) : 0;
}

// The live regions, by the rows.
class LiveRegions {
  public:
    void take(const EventRow& row) {
        // Another registry file: after a reboot only durable regions are left.
        if (row.epoch != epoch_) {
            epoch_ = row.epoch;
            sizes_.clear();
            bytes_ = 0;
        }
        if (row.kind == EventKind::allocated || row.kind == EventKind::durable_restored) {
            const auto size = size_of(row);
            if (sizes_.emplace(row.region_id, size).second) bytes_ += size;
        } else if (row.kind == EventKind::freed) {
            const auto gone = sizes_.extract(row.region_id);
            if (gone) bytes_ -= gone.mapped();
        }
    }
    std::uint64_t count() const { return sizes_.size(); }
    std::uint64_t bytes() const { return bytes_; }

  private:
    std::uint64_t epoch_ = 0;
    std::unordered_map<std::string, std::uint64_t> sizes_;
    std::uint64_t bytes_ = 0;
};

// Of the whole instance, or of the region asked for, whoever did it.
Status draw_memory(EventReader& reader, const EventQuery& query, ReportGraphs& graphs) {
    EventQuery all;
    all.region_id = query.region_id;
    all.before_seq = query.before_seq;
    LiveRegions live;
    std::size_t done = 0;
    graphs.regions.assign(kGraphPoints, 0);
    graphs.bytes.assign(kGraphPoints, 0);
    const auto fill_to = [&](std::size_t end) {
        for (; done < end; ++done) {
            graphs.regions[done] = live.count();
            graphs.bytes[done] = live.bytes();
        }
    };
    SHM_TRY(for_each_row(reader, all, [&](const EventRow& row) -> Status {
        if (row.time > graphs.to) return {};
        fill_to(row.time < graphs.from ? 0 : part_of(graphs, row.time));
        live.take(row);
        return {};
    }));
    fill_to(kGraphPoints);
    return {};
}

// The period the rows lie in, where the query does not say.
Status find_period(EventReader& reader, const EventQuery& query, ReportGraphs& graphs) {
    auto end = query;
    end.limit = 1;
    SHM_ASSIGN(const auto oldest, reader.query(end));
    end.newest_first = true;
    SHM_ASSIGN(const auto newest, reader.query(end));
    const auto first = oldest.empty() ? now() : oldest.front().time;
    const auto last = newest.empty() ? now() : newest.front().time;
    graphs.from = query.since.value_or(first);
    graphs.to = std::max(graphs.from, query.until ? std::min(*query.until, now()) : last);
    return {};
}

using Counts = std::map<std::string, std::vector<std::uint64_t>>;

void choose_kinds(const ReportSummary& summary, Counts counts, ReportGraphs& graphs) {
    std::vector<std::pair<std::int64_t, std::string>> order;
    for (const auto& [kind, count] : summary.kinds) order.emplace_back(count, kind);
    std::sort(order.rbegin(), order.rend());
    std::vector<std::uint64_t> others;
    for (std::size_t i = 0; i < order.size(); ++i) {
        auto& parts = counts[order[i].second];
        if (i < kKindsShown) {
            graphs.events.emplace_back(order[i].second, std::move(parts));
            continue;
        }
        others.resize(kGraphPoints);
        for (std::size_t p = 0; p < kGraphPoints; ++p) others[p] += parts[p];
    }
    if (!others.empty()) graphs.events.emplace_back(kOthers, std::move(others));
}

}  // namespace

Status for_each_row(EventReader& reader, EventQuery query,
                    const std::function<Status(const EventRow&)>& row) {
    query.limit = kPageRows;
    query.newest_first = false;
    while (true) {
        SHM_ASSIGN(const auto rows, reader.query(query));
        for (const auto& each : rows) SHM_TRY(row(each));
        if (rows.size() < static_cast<std::size_t>(kPageRows)) return {};
        query.after_seq = rows.back().seq;
    }
}

Result<ReportSummary> summarize(EventReader& reader, const EventQuery& query) {
    ReportSummary summary;
    SHM_TRY(find_period(reader, query, summary.graphs));
    Counts counts;
    SHM_TRY(for_each_row(reader, query, [&](const EventRow& row) -> Status {
        if (summary.rows++ == 0) {
            summary.first_seq = row.seq;
            summary.first = row.time;
        }
        summary.last_seq = row.seq;
        summary.last = row.time;
        const std::string kind(to_string(row.kind));
        ++summary.kinds[kind];
        ++summary.results[row.result];
        if (summary.users.size() < kUsersNamed || summary.users.contains(row.uid))
            ++summary.users[row.uid];
        auto& parts = counts[kind];
        parts.resize(kGraphPoints);
        ++parts[part_of(summary.graphs, row.time)];
        return {};
    }));
    choose_kinds(summary, std::move(counts), summary.graphs);
    SHM_TRY(draw_memory(reader, query, summary.graphs));
    return summary;
}

}  // namespace snakepit::shm
