// SPDX-License-Identifier: MIT
#include "monitoring/reports.h"

#include <unistd.h>

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "base/version.h"
#include "json/json_values.h"
#include "monitoring/reports_performance.h"
#include "monitoring/telemetry_report.h"
#include "platform/memory_limit.h"

namespace snakepit::shm {

namespace {

// Of the clients report: an answer is one frame. The registry's client table has all of them.
constexpr std::size_t kListedClients = 150;
constexpr qsizetype kListedArenas = 150;
constexpr std::size_t kListedUsers = 100;
constexpr std::size_t kListedAlerts = 150;   // the worst
constexpr std::size_t kListedResults = 200;  // of the looks at health; the manager knows a day's

QJsonObject recorder_json(const RecorderState& state) {
    return {{"writable", state.writable},
            {"recorded", number(state.recorded)},
            {"lag", number(state.lag)},
            {"problem", text(state.problem)}};
}

QJsonObject huge_pages(const ReportSources& s) {
    const bool wanted = s.state.config.use_hugepages;
    const auto& problem = s.state.allocator.pool.huge_page_problem();
    return {{"wanted", wanted},
            {"used", wanted && problem.empty()},
            {"problem", wanted ? text(problem) : QString()}};
}

// What each user takes of its quota; of others only for those who may see them.
QJsonArray users(const ReportSources& s) {
    struct Line {
        std::uint32_t uid;
        Allocator::Usage usage;
    };
    const auto own = s.caller.credentials.uid;
    const bool all = s.service.may(s.caller, Privilege::see_all);
    std::vector<Line> lines;
    for (const auto& [uid, usage] : s.state.allocator.usage())
        if (all || uid == own) lines.push_back({uid, usage});
    std::sort(lines.begin(), lines.end(),
              [](const Line& a, const Line& b) { return a.usage.bytes > b.usage.bytes; });
    if (lines.size() > kListedUsers) lines.resize(kListedUsers);
    QJsonArray out;
    for (const auto& line : lines) {
        const auto quota = s.service.quota_of_user(line.uid);
        out.append(QJsonObject{
            {"uid", static_cast<qint64>(line.uid)},
            {"user", text(user_name(line.uid))},
            {"regions", number(line.usage.regions)},
            {"bytes", number(line.usage.bytes)},
            {"max_regions",
             number(quota.max_regions.value_or(s.state.config.max_regions_per_user))},
            {"max_memory", number(quota.max_memory.value_or(s.state.config.max_memory_per_user))}});
    }
    return out;
}

QJsonObject keeper(const ReportSources& s) {
    const auto& keeping = s.monitoring.health().keeping();
    return {{"name", text(keeping.keeper)},
            {"segments", number(keeping.segments)},
            {"kept", number(keeping.kept)}};
}

// Whose limit the manager's own memory counts against, and with it all regions but those whose
// client reserved the pages.
QJsonObject memory() {
    const auto left = MemoryLimit::own().left();
    constexpr std::uint64_t kMost = 1ULL << 62;  // where the host does not say
    return {{"charged_to", text(left.limited_by)},
            {"limit", number(std::min(left.limit, kMost))},
            {"left", number(std::min(left.bytes, kMost))},
            {"not_known", text(left.not_known)}};
}

QJsonObject status(const ReportSources& s) {
    s.service.look_at_stashes();
    const auto totals = s.state.totals();
    const auto capabilities = s.state.backend.capabilities();
    const auto stash = s.service.stash();
    QJsonObject space;
    if (const auto room = s.state.backend.space()) {
        space = {{"total", number(room->total)}, {"free", number(room->free)}};
        if (room->free_files != ~std::uint64_t{0})
            space.insert("free_files", number(room->free_files));
    }
    return {
        {"instance", text(s.state.paths.instance)},
        {"pid", static_cast<qint64>(::getpid())},
        {"version", text(kVersionText)},
        {"started_at", text(to_rfc3339(s.started_at))},
        {"epoch", QString::number(s.state.registry.epoch(), 16)},
        {"runtime_dir", text(s.state.paths.runtime_dir)},
        {"state_dir", text(s.state.paths.state_dir)},
        {"config_file", text(s.state.paths.config_file)},
        {"backend", text(s.state.backend.name())},
        {"capabilities", QJsonObject{{"named_segments", capabilities.named_segments},
                                     {"handle_passing", capabilities.handle_passing},
                                     {"reserves_pages", capabilities.reserves_pages},
                                     {"process_watch", capabilities.process_watch}}},
        {"shm_path", text(s.state.config.shm_path)},
        {"shm_space", space},
        {"memory", memory()},
        {"huge_pages", huge_pages(s)},
        {"keeper", keeper(s)},
        {"regions", number(totals.regions)},
        {"orphans", number(totals.orphans)},
        {"references", number(totals.references)},
        {"bytes_used", number(s.state.allocator.bytes_used())},
        {"stash", QJsonObject{{"slots", number(stash.slots)}, {"bytes", number(stash.bytes)}}},
        {"bytes_reserved", number(s.state.allocator.bytes_reserved())},
        {"clients", number(s.state.counter.clients().size())},
        {"connections", number(s.connections)},
        {"limits",
         QJsonObject{{"max_regions", number(s.state.config.max_regions)},
                     {"max_region_size", number(s.state.config.max_region_size)},
                     {"max_total_memory", number(s.state.config.max_total_memory)},
                     {"max_regions_per_process", number(s.state.config.max_regions_per_process)},
                     {"max_regions_per_user", number(s.state.config.max_regions_per_user)},
                     {"max_memory_per_user", number(s.state.config.max_memory_per_user)}}},
        {"users", users(s)},
        {"recorder", recorder_json(s.recorder.state())},
        {"alerts",
         QJsonDocument::fromJson(QByteArray::fromStdString(s.monitoring.alerts().state_json()))
             .object()},
        {"metrics", metrics_json(s)},
        {"events", number(s.state.registry.ring().head())},
        {"telemetry", telemetry_json(s.monitoring.telemetry())},
    };
}

QJsonObject clients(const ReportSources& s) {
    QJsonArray out;
    const auto all = s.state.counter.clients();
    for (const auto index : std::span(all).first(std::min(all.size(), kListedClients))) {
        const auto& record = s.state.grants.record(index);
        out.append(QJsonObject{{"pid", static_cast<qint64>(record.pid)},
                               {"uid", static_cast<qint64>(record.uid)},
                               {"process", text(record.process)},
                               {"worker", text(record.worker)},
                               {"pool", text(record.pool)},
                               {"session", text(record.session)},
                               {"connected_at", text(to_rfc3339({record.connected_at}))},
                               {"connected", s.state.registry.client_connected(index)},
                               {"hostile", record.hostile != 0}});
    }
    return {{"clients", out}, {"total", number(all.size())}, {"users", users(s)}};
}

// The arenas, and what they are together. `holes`: bytes that are free before the last region of an
// arena; `fragmentation`: their share of the span in use.
QJsonObject arenas(const ReportSources& s) {
    const auto& pool = s.state.allocator.pool;
    QJsonArray out;
    std::uint64_t size = 0, used = 0, span = 0, largest = 0, backed = 0, dirty = 0;
    for (const auto& arena : pool.report()) {
        size += arena.size;
        used += arena.used;
        span += arena.high_water;
        largest = std::max(largest, arena.largest_free);
        backed += arena.reserved;
        dirty += arena.dirty;
        if (out.size() < kListedArenas)
            out.append(QJsonObject{{"name", text(arena.name)},
                                   {"uid", static_cast<qint64>(arena.tenant)},
                                   {"size", number(arena.size)},
                                   {"used", number(arena.used)},
                                   {"holes", number(arena.high_water - arena.used)},
                                   {"largest_free", number(arena.largest_free)},
                                   {"reserved", number(arena.reserved)},
                                   {"dirty", number(arena.dirty)}});
    }
    const auto holes = span - used;
    return {{"arenas", out},
            {"total",
             QJsonObject{{"arenas", number(pool.count())},
                         {"size", number(size)},
                         {"used", number(used)},
                         {"holes", number(holes)},
                         {"fragmentation",
                          span == 0 ? 0.0 : static_cast<double>(holes) / static_cast<double>(span)},
                         {"largest_free", number(largest)},
                         {"reserved", number(backed)},
                         {"dirty", number(dirty)}}},
            {"huge_pages", huge_pages(s)}};
}

// Pending and firing. Who wants more asks with the call of their own (alerts/alert_api.h).
QJsonObject alerts(const ReportSources& s) {
    QJsonArray out;
    const auto live = s.monitoring.alerts().live();
    for (const auto& alert : std::span(live).first(std::min(live.size(), kListedAlerts)))
        out.append(QJsonDocument::fromJson(QByteArray::fromStdString(to_json(alert))).object());
    return {{"alerts", out}, {"total", number(live.size())}};
}

// What only the running manager knows; the command line checks the rest from outside.
QJsonObject health(const ReportSources& s) {
    const auto& checked = s.service.check_now();
    auto& logger = s.monitoring.health();
    QJsonArray problems, history;
    for (const auto& problem : logger.check(now().micros))
        problems.append(QJsonObject{{"problem", text(problem.what)},
                                    {"remedy", text(problem.remedy)},
                                    {"since", text(to_rfc3339(problem.since))}});
    for (const auto& error : s.monitoring.telemetry().state().problems)
        problems.append(QJsonObject{{"problem", text(error.message)},
                                    {"remedy", text(error.remedy)},
                                    {"since", text(to_rfc3339(error.time))}});
    const auto& results = logger.history();
    const auto first = results.size() - std::min(results.size(), kListedResults);
    for (auto i = first; i < results.size(); ++i)
        history.append(QJsonObject{{"time", text(to_rfc3339(results[i].at))},
                                   {"regions", number(results[i].regions)},
                                   {"problems", number(results[i].problems)}});
    QJsonObject last{{"regions", number(checked.regions)}, {"problems", problems.size()}};
    if (checked.completed_at != 0)
        last.insert("completed_at", text(to_rfc3339(s.state.registry.wall(checked.completed_at))));
    return {{"problems", problems}, {"last_check", last}, {"history", history}};
}

}  // namespace

Result<std::string> make_report(const std::string& topic, const ReportSources& sources) {
    QJsonObject document;
    if (topic == "status")
        document = status(sources);
    else if (topic == "stats")
        document = stats_report(sources);
    else if (topic == "clients")
        document = clients(sources);
    else if (topic == "arenas")
        document = arenas(sources);
    else if (topic == "health")
        document = health(sources);
    else if (topic == "alerts")
        document = alerts(sources);
    else if (topic == "metrics")
        document = metrics_json(sources.monitoring.telemetry());
    else if (topic == "performance")
        document = performance_report(sources);
    else if (topic == "config")
        return sources.state.config.to_json();
    else
        return fail(
            ErrorCode::invalid_argument, fmt::format("unknown report '{}'", topic.substr(0, 40)),
            "ask for status, config, stats, performance, health, alerts, clients or arenas");
    return QJsonDocument(document).toJson(QJsonDocument::Compact).toStdString();
}

}  // namespace snakepit::shm
