// SPDX-License-Identifier: MIT
// stats: operations since the manager started, their times, users and advice; and a metric's
// history.
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <QJsonArray>

#include "base/pluralize.h"
#include "base/units.h"
#include "command.h"
#include "diagnostics/registry_file.h"
#include "json.h"
#include "layout/metrics.h"
#include "moments.h"
#include "output.h"
#include "telemetry/metrics_reader.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kLinesShown = 10;  // of users, sessions and workers

struct StatsOptions {
    std::string metric, since = "1h", until;
    std::size_t points = 60;
    bool catalogue = false;
};

std::string count_of(const QJsonValue& value) {
    return fmt::format("{}", value.toInteger());
}

std::string time_of(const QJsonValue& nanos, qint64 count) {
    return count == 0 ? "-" : format_nanos(nanos.toDouble());
}

void print_operations(const QJsonArray& operations, const char* key, std::string title) {
    Table table({std::move(title), "COUNT>", "P50>", "P90>", "P99>", "P99.9>"});
    for (const QJsonValue operation : operations) {
        const auto times = operation[QLatin1String(key)];
        const auto count = times["count"].toInteger();
        table.add({str(operation["operation"]), fmt::format("{}", count),
                   time_of(times["p50"], count), time_of(times["p90"], count),
                   time_of(times["p99"], count), time_of(times["p999"], count)});
    }
    print(table);
}

void print_lines(const QJsonArray& lines, const char* title) {
    if (lines.isEmpty()) return;
    Table table({title, "REGIONS>", "MEMORY>", "REFERENCES>", "ALLOCATIONS>"});
    std::size_t shown = 0;
    for (const QJsonValue line : lines) {
        if (shown++ == kLinesShown) break;
        table.add({str(line["name"]), count_of(line["regions"]),
                   format_size(static_cast<std::uint64_t>(line["bytes"].toInteger())),
                   count_of(line["references"]), count_of(line["allocations"])});
    }
    print("\n");
    print(table);
    if (const auto all = static_cast<std::size_t>(lines.size()); all > kLinesShown)
        print(fmt::format("and {} more\n", all - kLinesShown));
}

void print_errors(const QJsonObject& errors) {
    const auto codes = errors["by_code"].toObject();
    if (codes.isEmpty()) return;
    Table table({"ERROR", "COUNT>"});
    for (auto it = codes.begin(); it != codes.end(); ++it)
        table.add({it.key().toStdString(), count_of(it.value())});
    print("\n");
    print(table);
}

std::string counted_of(const QJsonValue& value, std::string_view one) {
    return pluralize(static_cast<std::uint64_t>(value.toInteger()), one);
}

void print_advice(const QJsonObject& performance) {
    for (const QJsonValue subject : performance["subjects"].toArray())
        print(fmt::format("\n{}: {}\n", sanitized(str(subject["subject"])),
                          sanitized(str(subject["evidence"]))));
    for (const QJsonValue one : performance["recommendations"].toArray())
        print(fmt::format("\n* {}\n  because {}\n", sanitized(str(one["advice"])),
                          sanitized(str(one["evidence"]))));
}

void print_stats(const QJsonObject& stats, const QJsonObject& performance) {
    const auto since = [&](const char* key) { return str(stats[QLatin1String(key)]); };
    print(fmt::format(
        "since the manager started ({}): {}, {}, {}\nnow: {} with {}, {}\n\n",
        since("counted_since"), counted_of(stats["total_allocations"], "allocation"),
        counted_of(stats["total_deallocations"], "deallocation"),
        counted_of(stats["errors"], "error"), counted_of(stats["active_regions"], "region"),
        format_size(static_cast<std::uint64_t>(stats["total_memory_allocated"].toInteger())),
        counted_of(stats["references"], "reference")));
    const auto operations = performance["operations"].toArray();
    print_operations(operations, "recent", "LAST 10 SECONDS");
    print("\n");
    // The registry keeps the times when a manager ends.
    const auto timed = since("timed_since");
    print_operations(operations, "total",
                     timed.empty() ? "SINCE THE REGISTRY WAS MADE" : "SINCE " + timed);
    const auto arenas = performance["fragmentation"].toObject();
    print(fmt::format("\nArenas: {}, fragmentation {:.1f} %\n", count_of(arenas["arenas"]),
                      arenas["ratio"].toDouble() * 100));
    print_lines(performance["users"].toArray(), "USER");
    print_lines(performance["sessions"].toArray(), "SESSION");
    print_lines(performance["workers"].toArray(), "WORKER");
    print_errors(performance["errors"].toObject());
    print_advice(performance);
}

// Null for users who may not read the registry.
QJsonValue made_at(const std::string& registry) {
    const auto file = RegistryFile::open(registry);
    if (!file) return {};
    return text(to_rfc3339({file->view().header().created_at}));
}

Result<int> show_stats(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto stats_text, client->report("stats"));
    SHM_ASSIGN(auto stats, parse_object(stats_text));
    SHM_ASSIGN(const auto performance_text, client->report("performance"));
    SHM_ASSIGN(const auto performance, parse_object(performance_text));
    SHM_ASSIGN(const auto status_text, client->report("status"));
    SHM_ASSIGN(const auto status, parse_object(status_text));
    stats.insert("counted_since", status["started_at"]);
    stats.insert("timed_since", made_at(client->paths().registry()));
    if (!context.json) {
        print_stats(stats, performance);
        return kDone;
    }
    for (const auto* key :
         {"operations", "users", "sessions", "workers", "surveyed_at", "fragmentation", "subjects",
          "recommendations", "metrics", "host_history"})
        stats.insert(QLatin1String(key), performance[QLatin1String(key)]);
    print_json(stats);
    return kDone;
}

std::string_view unit_name(MetricUnit unit) {
    switch (unit) {
        case MetricUnit::bytes:
            return "bytes";
        case MetricUnit::seconds:
            return "seconds";
        case MetricUnit::ratio:
            return "ratio";
        default:
            return "";
    }
}

std::string value_of(double value, MetricUnit unit) {
    if (unit == MetricUnit::bytes && value >= 0)
        return format_size(static_cast<std::uint64_t>(value));
    return fmt::format("{:.6g}", value);
}

int print_catalogue(const Context& context) {
    if (context.json) {
        QJsonArray out;
        for (const auto& metric : metrics())
            out.append(
                QJsonObject{{"name", text(metric.name)},
                            {"kind", metric.kind == MetricKind::counter ? "counter" : "gauge"},
                            {"unit", text(unit_name(metric.unit))},
                            {"help", text(metric.help)}});
        print_json({{"metrics", out}});
        return kDone;
    }
    Table table({"METRIC", "MEANING"});
    for (const auto& metric : metrics())
        table.add({std::string(metric.name), std::string(metric.help)});
    print(table);
    return kDone;
}

// Reads the database itself, so it works without a manager.
Result<int> run_history(const Context& context, const StatsOptions& options) {
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    SHM_ASSIGN(const auto since, moment(options.since));
    SHM_ASSIGN(const auto until, moment(options.until));
    MetricsReader reader(paths.metrics_db());
    SHM_ASSIGN(const auto points, reader.series(options.metric, since.value_or(Timestamp{}),
                                                until.value_or(now()), options.points));
    if (context.json) {
        QJsonArray out;
        for (const auto& point : points)
            out.append(QJsonObject{{"time", json(point.time)},
                                   {"min", point.min},
                                   {"avg", point.avg},
                                   {"max", point.max},
                                   {"seconds", json(point.seconds)}});
        print_json({{"metric", text(options.metric)}, {"points", out}});
        return kDone;
    }
    const auto unit = find_metric(options.metric)->unit;
    Table table({"TIME", "SECONDS>", "MIN>", "AVG>", "MAX>"});
    for (const auto& point : points)
        table.add({to_rfc3339(point.time), fmt::format("{}", point.seconds),
                   value_of(point.min, unit), value_of(point.avg, unit),
                   value_of(point.max, unit)});
    print(table);
    return kDone;
}

Result<int> run_stats(const Context& context, const StatsOptions& options) {
    if (options.catalogue) return print_catalogue(context);
    if (!options.metric.empty()) return run_history(context, options);
    return show_stats(context);
}

std::vector<std::string> metric_names() {
    std::vector<std::string> out;
    for (const auto& metric : metrics()) out.emplace_back(metric.name);
    return out;
}

}  // namespace

void add_stats(Command& app) {
    auto& command = app.add(
        "stats", "Show operations, their times and users, with advice; or a metric's history");
    auto& options = command.options<StatsOptions>();
    auto& history = command
                        .option("--history", "METRIC", options.metric,
                                "Show this metric's history; needs no manager")
                        .suggest(metric_names());
    command
        .option("--since", "TIME", options.since,
                "From this time on, or from this long ago (default: 1h)")
        .needs(history);
    command.option("--until", "TIME", options.until, "Before this time, or older than this (10m)")
        .needs(history);
    command.option("--points", "N", options.points, "Show at most N lines (default: 60)")
        .range(1, 1'000'000)
        .needs(history);
    command.flag("--metrics", options.catalogue, "List the metrics");
    command.run(run_stats, options);
}

}  // namespace snakepit::shm::cli
