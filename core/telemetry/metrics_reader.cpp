// SPDX-License-Identifier: MIT
#include "telemetry/metrics_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "layout/metrics.h"
#include "sqlite/read_connection.h"
#include "telemetry/metrics_schema.h"

namespace snakepit::shm {

namespace {

bool has_column(SQLite::Database& database, const Resolution& resolution, std::string_view metric) {
    SQLite::Statement columns(
        database,
        fmt::format("SELECT 1 FROM pragma_table_info('{}') WHERE name = ?1", resolution.table));
    columns.bind(1, std::string(metric));
    return columns.executeStep();
}

std::vector<MetricPoint> read(SQLite::Database& database, std::size_t index,
                              std::string_view metric, std::int64_t from, std::int64_t to) {
    const auto& resolution = kResolutions[index];
    const auto name = column_of(metric);
    const auto low = index == 0 ? name : column_of(metric, "_min");
    const auto high = index == 0 ? name : column_of(metric, "_max");
    SQLite::Statement rows(
        database, fmt::format("SELECT time, {}, {}, {} FROM {} WHERE time >= ?1 AND time < ?2 AND "
                              "{} IS NOT NULL ORDER BY time",
                              low, name, high, resolution.table, name));
    rows.bind(1, from);
    rows.bind(2, to);
    std::vector<MetricPoint> out;
    while (rows.executeStep())
        out.push_back({{rows.getColumn(0).getInt64()},
                       rows.getColumn(1).getDouble(),
                       rows.getColumn(2).getDouble(),
                       rows.getColumn(3).getDouble(),
                       resolution.seconds});
    return out;
}

// Reads the finest requested table, and for times before its first row the next one. Finer tables
// lose only whole rows of the next one.
std::vector<MetricPoint> read_all(SQLite::Database& database, std::size_t finest,
                                  std::string_view metric, std::int64_t from, std::int64_t to) {
    std::vector<MetricPoint> out;
    auto end = to;
    for (auto i = finest; i < kResolutions.size() && end > from; ++i) {
        if (has_column(database, kResolutions[i], metric)) {
            auto points = read(database, i, metric, from, end);
            points.insert(points.end(), out.begin(), out.end());
            out = std::move(points);
        }
        if (!out.empty() && i + 1 < kResolutions.size())
            end = begin_of(out.front().time.micros, kResolutions[i + 1].seconds);
    }
    return out;
}

MetricPoint merged(const MetricPoint* first, const MetricPoint* last) {
    MetricPoint out{first->time, first->min, 0, first->max, 0};
    for (const auto* point = first; point != last; ++point) {
        out.min = std::min(out.min, point->min);
        out.max = std::max(out.max, point->max);
        out.avg += point->avg * static_cast<double>(point->seconds);
        out.seconds += point->seconds;
    }
    out.avg /= static_cast<double>(out.seconds);
    return out;
}

// Into equal parts of the time, each with its points.
std::vector<MetricPoint> reduced(const std::vector<MetricPoint>& points, std::int64_t from,
                                 std::int64_t to, std::size_t most) {
    if (points.size() <= most) return points;
    std::vector<MetricPoint> out;
    const auto part_of = [&](const MetricPoint& point) {
        return static_cast<double>(point.time.micros - from) / static_cast<double>(to - from) *
               static_cast<double>(most);
    };
    for (std::size_t i = 0; i < points.size();) {
        const auto part = static_cast<std::size_t>(part_of(points[i]));
        auto end = i + 1;
        while (end < points.size() && static_cast<std::size_t>(part_of(points[end])) == part) ++end;
        out.push_back(merged(points.data() + i, points.data() + end));
        i = end;
    }
    return out;
}

Status check(std::string_view metric) {
    if (find_metric(metric)) return {};
    return fail(ErrorCode::invalid_argument,
                fmt::format("unknown metric '{}'", metric.substr(0, 80)),
                "'snakepit-shm stats --metrics' lists them");
}

}  // namespace

struct MetricsReader::Private {
    explicit Private(const std::string& path)
        : connection(path, {"metrics database", kResolutions[0].table, kMetricsSchemaVersion}) {}
    ReadConnection connection;
};

MetricsReader::MetricsReader(const std::string& path) : d_(std::make_unique<Private>(path)) {}
MetricsReader::MetricsReader(MetricsReader&&) noexcept = default;
MetricsReader& MetricsReader::operator=(MetricsReader&&) noexcept = default;
MetricsReader::~MetricsReader() = default;

Result<std::vector<MetricPoint>> MetricsReader::points(std::string_view metric, Timestamp from,
                                                       Timestamp to) {
    SHM_TRY(check(metric));
    return d_->connection.run([&](SQLite::Database& database) {
        return read_all(database, 0, metric, from.micros, to.micros);
    });
}

Result<std::vector<MetricPoint>> MetricsReader::series(std::string_view metric, Timestamp from,
                                                       Timestamp to, std::size_t max_points) {
    SHM_TRY(check(metric));
    if (max_points == 0 || to <= from) return std::vector<MetricPoint>();
    const auto wanted =
        (to.micros - from.micros) / kMicrosPerSecond / static_cast<std::int64_t>(max_points);
    std::size_t finest = 0;
    while (finest + 1 < kResolutions.size() && kResolutions[finest + 1].seconds <= wanted) ++finest;
    SHM_ASSIGN(const auto points, d_->connection.run([&](SQLite::Database& database) {
        return read_all(database, finest, metric, from.micros, to.micros);
    }));
    return reduced(points, from.micros, to.micros, max_points);
}

}  // namespace snakepit::shm
