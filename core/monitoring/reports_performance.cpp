// SPDX-License-Identifier: MIT
// How an instance performs, and what it suggests.
#include "monitoring/reports_performance.h"

#include <QJsonArray>
#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/units.h"
#include "host_history/history_schema.h"
#include "json/json_values.h"
#include "layout/metrics.h"
#include "security/name_resolver.h"
#include "telemetry/recommendations.h"

namespace snakepit::shm {

namespace {

using layout::Histogram;
using layout::Timed;

// Of each list: an answer is one frame.
constexpr std::size_t kListed = 100;
// Of the errors in the stats report, estimated generously.
constexpr std::size_t kErrorBytes = std::size_t{40} * 1024;

QJsonObject percentiles(const Histogram& times) {
    return {{"count", number(times.count)},
            {"p50", number(times.percentile(0.5))},
            {"p90", number(times.percentile(0.9))},
            {"p99", number(times.percentile(0.99))},
            {"p999", number(times.percentile(0.999))}};
}

Histogram total_of(const ReportSources& s, Timed what) {
    return Histogram::of(s.state.registry.timed(what));
}

QJsonArray operations(const ReportSources& s) {
    QJsonArray out;
    for (std::size_t i = 0; i < layout::kTimed; ++i) {
        const auto what = static_cast<Timed>(i);
        out.append(QJsonObject{{"operation", text(layout::kTimedNames[i])},
                               {"recent", percentiles(s.monitoring.performance().recent(what))},
                               {"total", percentiles(total_of(s, what))}});
    }
    return out;
}

struct Line {
    std::string name;
    UsageLine usage;
    std::uint64_t allocations = 0;
};

// Those with the most memory first; of those without any, who allocated most.
QJsonArray lines_json(std::vector<Line> lines) {
    std::sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
        if (a.usage.bytes != b.usage.bytes) return a.usage.bytes > b.usage.bytes;
        return a.allocations != b.allocations ? a.allocations > b.allocations : a.name < b.name;
    });
    if (lines.size() > kListed) lines.resize(kListed);
    QJsonArray out;
    for (const auto& line : lines)
        out.append(QJsonObject{{"name", text(line.name)},
                               {"regions", number(line.usage.regions)},
                               {"bytes", number(line.usage.bytes)},
                               {"references", number(line.usage.references)},
                               {"allocations", number(line.allocations)}});
    return out;
}

template <typename Key, typename Hash, typename Name>
QJsonArray table(const std::unordered_map<Key, UsageLine, Hash>& usage,
                 const std::unordered_map<Key, std::uint64_t, Hash>& allocations, Name name_of) {
    std::unordered_map<Key, Line, Hash> lines;
    for (const auto& [key, line] : usage) lines[key].usage = line;
    for (const auto& [key, count] : allocations) lines[key].allocations = count;
    std::vector<Line> out;
    for (auto& [key, line] : lines) {
        line.name = name_of(key);
        out.push_back(std::move(line));
    }
    return lines_json(std::move(out));
}

QJsonArray subjects(const ReportSources& s) {
    QJsonArray out;
    for (const auto& subject : s.monitoring.subjects()) {
        if (static_cast<std::size_t>(out.size()) >= kListed) break;
        out.append(QJsonObject{{"metric", text(subject.metric)},
                               {"subject", text(subject.subject)},
                               {"value", subject.value},
                               {"evidence", text(subject.evidence)}});
    }
    return out;
}

constexpr std::size_t kMostTakers = 5;

void add(std::vector<Recommendation>& out, std::optional<Recommendation> one) {
    if (one) out.push_back(std::move(*one));
}

void add_takers(std::vector<Recommendation>& out, const ServiceState& state,
                const Monitoring& monitoring) {
    for (const auto& client : monitoring.growing()) {
        if (out.size() >= kMostTakers) return;
        for (const auto index : state.counter.clients()) {
            const auto& record = state.grants.record(index);
            if (record.serial.load(std::memory_order_relaxed) != client.serial) continue;
            const auto seconds = (state.registry.time() - client.since) / 1'000'000;
            out.push_back(never_unmaps(
                {monitoring.name_of(client.serial), record.session, evidence_of(client), seconds}));
        }
    }
}

// What the use of this instance suggests, the most urgent first. Costs as much as there are arenas.
std::vector<Recommendation> advice_for(const ServiceState& state, const Monitoring& monitoring) {
    std::vector<Recommendation> out;
    const auto& history = monitoring.history();
    add_takers(out, state, monitoring);
    add(out, limit_ahead(
                 {"regions", static_cast<double>(state.config.max_regions), false, "max_regions"},
                 history.regions()));
    add(out, limit_ahead({"memory of regions", static_cast<double>(state.config.max_total_memory),
                          true, "max_total_memory"},
                         history.memory()));
    add(out, limit_ahead({"the host's shared memory",
                          static_cast<double>(monitoring.performance().last().shm_total), true,
                          "the size of its file system"},
                         history.host()));
    for (auto& met : limits_met(state.errors.since_configured())) out.push_back(std::move(met));

    std::vector<ArenaUse> arenas;
    for (const auto& arena : state.allocator.pool.report())
        arenas.push_back({arena.used, arena.high_water, arena.reserved});
    const auto totals = state.totals();
    add(out, idle_memory(totals.cleanable_regions, totals.cleanable_bytes,
                         state.allocator.bytes_used()));
    add(out, smaller_arenas(arenas, state.config.arena_size));
    add(out, defragmentation(arenas));
    return out;
}

QJsonArray recommendations(const ReportSources& s) {
    QJsonArray out;
    for (const auto& one : advice_for(s.state, s.monitoring))
        out.append(QJsonObject{{"topic", text(one.topic)},
                               {"advice", text(one.advice)},
                               {"evidence", text(one.evidence)},
                               {"bytes", number(one.bytes)}});
    return out;
}

QJsonObject fragmentation(const ReportSources& s) {
    const auto& pool = s.state.allocator.pool;
    const auto extent = pool.extent();
    const auto holes = extent.span - extent.used;
    return {
        {"arenas", number(pool.count())},
        {"size", number(extent.size)},
        {"used", number(extent.used)},
        {"span", number(extent.span)},
        {"holes", number(holes)},
        {"ratio",
         extent.span == 0 ? 0.0 : static_cast<double>(holes) / static_cast<double>(extent.span)}};
}

QJsonObject errors_by_type(const ErrorManager& errors) {
    QJsonObject out;
    for (const auto& [type, count] : errors.by_type())
        out.insert(text(to_string(type)), number(count));
    return out;
}

QJsonObject errors_by_code(const ErrorManager& errors) {
    QJsonObject out;
    for (const auto& [code, count] : errors.by_code())
        out.insert(text(to_string(code)), number(count));
    return out;
}

// Newest first, as many as fit an answer, which is one frame.
QJsonArray recent_errors(const ErrorManager& errors) {
    QJsonArray out;
    std::size_t bytes = 0;
    for (auto it = errors.recent().rbegin(); it != errors.recent().rend(); ++it) {
        const auto& error = it->error;
        bytes += 400 + 2 * (error.message.size() + error.remedy.size());
        if (bytes > kErrorBytes) break;
        out.append(QJsonObject{
            {"type", text(to_string(error.type()))},
            {"code", text(to_string(error.code))},
            {"message", text(error.message)},
            {"remedy", text(error.remedy)},
            {"operation", text(error.operation)},
            {"region_id", error.region_id.empty() ? QJsonValue() : text(error.region_id)},
            {"pid", static_cast<qint64>(it->pid)},
            {"uid", static_cast<qint64>(it->uid)},
            {"process", text(it->process)},
            {"time", text(to_rfc3339(error.time))}});
    }
    return out;
}

// In microseconds.
QJsonObject times(const Histogram& histogram) {
    const auto micros = [&](double share) {
        return static_cast<double>(histogram.percentile(share)) / 1000;
    };
    return {{"count", number(histogram.count)},
            {"p50", micros(0.5)},
            {"p90", micros(0.9)},
            {"p99", micros(0.99)},
            {"p999", micros(0.999)}};
}

QJsonObject host_history_json(const ReportSources& s) {
    const auto state = s.monitoring.host();
    return {{"file", text(host_history_db(s.state.paths))},
            {"interval_ms", number(static_cast<std::uint64_t>(state.interval_ms))},
            {"surveys", number(state.surveys)},
            {"last_survey", state.surveys == 0 ? QJsonValue() : text(to_rfc3339(state.last.time))},
            {"cpu_ms", static_cast<double>(state.cpu_nanos) / 1e6},
            {"pause_ms", number(static_cast<std::uint64_t>(state.pause_ms))},
            {"bytes", number(state.bytes)},
            {"problem", text(state.problem)}};
}

}  // namespace

QJsonObject metrics_json(const ReportSources& s) {
    const auto state = s.monitoring.metrics();
    return {{"file", text(s.state.paths.metrics_db())},
            {"writable", state.writable},
            {"recorded", number(state.recorded)},
            {"lost", number(state.lost)},
            {"bytes", number(state.bytes)},
            {"problem", text(state.problem)}};
}

QJsonObject performance_report(const ReportSources& s) {
    const auto& usage = s.monitoring.usage();
    const auto& allocations = s.state.stats.allocations;
    const auto same = [](const std::string& name) { return name; };
    const auto& errors = s.state.errors;
    return {
        {"operations", operations(s)},
        {"users",
         table(usage.users, allocations.users, [](std::uint32_t uid) { return user_name(uid); })},
        {"sessions", table(usage.sessions, allocations.sessions, same)},
        {"workers", table(usage.workers, allocations.workers, same)},
        {"surveyed_at",
         usage.at == 0 ? QJsonValue() : text(to_rfc3339(s.state.registry.wall(usage.at)))},
        {"errors", QJsonObject{{"total", number(errors.total())},
                               {"by_type", errors_by_type(errors)},
                               {"by_code", errors_by_code(errors)}}},
        {"fragmentation", fragmentation(s)},
        {"subjects", subjects(s)},
        {"recommendations", recommendations(s)},
        {"metrics", metrics_json(s)},
        {"host_history", host_history_json(s)},
        {"last_updated", text(to_rfc3339(now()))},
    };
}

QJsonObject stats_report(const ReportSources& s) {
    const auto totals = s.state.totals();
    const auto& errors = s.state.errors;
    return {
        {"total_allocations", number(totals.allocations)},
        {"total_deallocations", number(totals.deallocations)},
        {"active_regions", number(totals.regions)},
        {"total_memory_allocated", number(s.state.allocator.bytes_used())},
        {"references", number(totals.references)},
        {"allocation_times", times(total_of(s, Timed::allocate))},
        {"mapping_times", times(total_of(s, Timed::first_map))},
        {"cleanup_times", times(total_of(s, Timed::cleanup))},
        {"allocation_failures", number(totals.allocation_failures)},
        {"refusals", number(totals.refusals)},
        {"errors", number(errors.total())},
        {"error_counts", errors_by_type(errors)},
        {"error_codes", errors_by_code(errors)},
        {"recent_errors", recent_errors(errors)},
        {"last_updated", text(to_rfc3339(now()))},
    };
}

}  // namespace snakepit::shm
