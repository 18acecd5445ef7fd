// SPDX-License-Identifier: MIT
#include "host_history/history_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "host_history/history_rows.h"
#include "host_history/history_schema.h"
#include "sqlite/read_connection.h"

namespace snakepit::shm {

namespace {

Timestamp ask_for_time(SQLite::Database& database, const std::string& text, Timestamp time) {
    SQLite::Statement statement(database, text);
    statement.bind(1, time.micros);
    return {statement.executeStep() ? statement.getColumn(0).getInt64() : 0};
}

// The finest table first; for times before its first row the next one.
std::vector<HostRecord> read_all(SQLite::Database& database, std::size_t finest, std::int64_t from,
                                 std::int64_t to) {
    std::vector<HostRecord> out;
    auto end = to;
    for (auto i = finest; i < kHostResolutions.size() && end > from; ++i) {
        const auto& resolution = kHostResolutions[i];
        std::vector<HostRecord> rows;
        for (auto& row : read_rows(database, resolution, from, end))
            rows.push_back({std::move(row), resolution.seconds});
        rows.insert(rows.end(), std::make_move_iterator(out.begin()),
                    std::make_move_iterator(out.end()));
        out = std::move(rows);
        if (!out.empty() && i + 1 < kHostResolutions.size())
            end = begin_of(out.front().totals.time.micros, kHostResolutions[i + 1]);
    }
    return out;
}

// The names of the last rows come first.
std::vector<std::string> names_of(const std::vector<HostRecord>& rows, TotalsBy by,
                                  std::size_t most) {
    std::vector<std::string> out;
    for (auto row = rows.rbegin(); row != rows.rend() && out.size() < most; ++row)
        for (const auto& total : row->totals.of(by)) {
            const bool known = std::find(out.begin(), out.end(), total.name) != out.end();
            if (known || total.name == kOtherNames || out.size() >= most) continue;
            out.push_back(total.name);
        }
    return out;
}

}  // namespace

struct HistoryReader::Private {
    explicit Private(const std::string& path)
        : connection(path, {"history of the host", "surveys_1m", kHostHistorySchemaVersion}) {}
    ReadConnection connection;
};

HistoryReader::HistoryReader(const std::string& path) : d_(std::make_unique<Private>(path)) {}
HistoryReader::HistoryReader(HistoryReader&&) noexcept = default;
HistoryReader& HistoryReader::operator=(HistoryReader&&) noexcept = default;
HistoryReader::~HistoryReader() = default;

Result<std::optional<HostRecord>> HistoryReader::at(Timestamp time) {
    return d_->connection.run([&](SQLite::Database& database) -> std::optional<HostRecord> {
        for (const auto& resolution : kHostResolutions) {
            const auto begin = begin_of(time.micros, resolution);
            auto rows = read_rows(database, resolution, begin,
                                  begin + resolution.seconds * kMicrosPerSecond);
            if (!rows.empty()) return HostRecord{std::move(rows.front()), resolution.seconds};
        }
        return std::nullopt;
    });
}

Result<HistoryReader::Neighbours> HistoryReader::next_to(Timestamp time) {
    return d_->connection.run([&](SQLite::Database& database) {
        Neighbours out;
        for (const auto& resolution : kHostResolutions) {
            const auto before = ask_for_time(
                database,
                fmt::format("SELECT max(time) FROM surveys_{} WHERE time <= ?", resolution.suffix),
                time);
            const auto after = ask_for_time(
                database,
                fmt::format("SELECT min(time) FROM surveys_{} WHERE time > ?", resolution.suffix),
                time);
            out.before = std::max(out.before, before);
            if (after.micros != 0 && (out.after.micros == 0 || after < out.after))
                out.after = after;
        }
        return out;
    });
}

Result<std::vector<HostSeries>> HistoryReader::series(TotalsBy by, Timestamp from, Timestamp to,
                                                      std::size_t max_points, std::size_t most) {
    if (max_points == 0 || to <= from) return std::vector<HostSeries>();
    const auto wanted =
        (to.micros - from.micros) / kMicrosPerSecond / static_cast<std::int64_t>(max_points);
    std::size_t finest = 0;
    while (finest + 1 < kHostResolutions.size() && kHostResolutions[finest].seconds < wanted)
        ++finest;
    SHM_ASSIGN(const auto rows, d_->connection.run([&](SQLite::Database& database) {
        return read_all(database, finest, from.micros, to.micros);
    }));
    std::vector<HostSeries> out;
    for (auto& name : names_of(rows, by, most)) out.push_back({std::move(name), {}});
    HostSeries others{std::string(kOtherNames), {}};
    bool has_others = false;
    for (const auto& row : rows) {
        for (auto& one : out) one.points.push_back({row.totals.time, row.seconds, 0, 0});
        others.points.push_back({row.totals.time, row.seconds, 0, 0});
        for (const auto& total : row.totals.of(by)) {
            const auto found = std::find_if(
                out.begin(), out.end(), [&](const auto& one) { return one.name == total.name; });
            auto& point = found == out.end() ? others.points.back() : found->points.back();
            point.bytes += total.bytes;
            point.left_bytes += total.left_bytes;
            has_others = has_others || found == out.end();
        }
    }
    if (has_others) out.push_back(std::move(others));
    return out;
}

Result<SegmentMemory> HistoryReader::segments() {
    return d_->connection.run([&](SQLite::Database& database) {
        SegmentMemory out;
        read_segments(database, now(), out);
        return out;
    });
}

}  // namespace snakepit::shm
