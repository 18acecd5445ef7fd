// SPDX-License-Identifier: MIT
// events: reads the event database itself, so it works without a manager.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <QJsonArray>

#include "command.h"
#include "events/event_reader.h"
#include "json.h"
#include "moments.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kFollowMillis = 250;

struct EventOptions {
    std::string region, kind, since, until;
    int limit = 100;
    bool follow = false;
};

Result<EventQuery> query_of(const EventOptions& options, const InstancePaths& paths) {
    EventQuery query;
    SHM_TRY(choose_events(query, paths, options.region, options.kind));
    SHM_ASSIGN(query.since, moment(options.since));
    SHM_ASSIGN(query.until, moment(options.until));
    query.limit = options.limit + 1;  // one more shows that there are more
    query.newest_first = true;
    return query;
}

// "process=python3 worker=w7 references=2".
std::string detail_text(const std::string& detail) {
    const auto object = parse_object(detail);
    if (!object) return detail;
    std::string out;
    for (auto it = object->begin(); it != object->end(); ++it) {
        auto value =
            it->isString() ? it->toString().toStdString()
            : it->isDouble()
                ? fmt::format("{}", it->toInteger())
                : QJsonDocument(QJsonArray{*it}).toJson(QJsonDocument::Compact).toStdString();
        if (value.starts_with('[') && !it->isString()) value = value.substr(1, value.size() - 2);
        if (it->isString() && value.find(' ') != value.npos) value = '"' + value + '"';
        out += fmt::format("{}{}={}", out.empty() ? "" : " ", it.key().toStdString(), value);
    }
    return out;
}

std::string line_of(const EventRow& event) {
    auto out = fmt::format("{:>8}  {}  {:<19}  {:<37}  {:>7}", event.seq, to_rfc3339(event.time),
                           to_string(event.kind), event.region_id, event.pid);
    if (event.result != "ok") out += "  " + event.result;
    if (!event.detail.empty() && event.detail != "{}") out += "  " + detail_text(event.detail);
    return out + '\n';
}

void print_rows(const Context& context, const std::vector<EventRow>& rows, Layout layout) {
    if (!context.json) {
        for (const auto& row : rows) print(line_of(row));
        return;
    }
    if (layout == Layout::one_line) {
        for (const auto& row : rows) print_json(event_json(row), layout);
        return;
    }
    QJsonArray out;
    for (const auto& row : rows) out.append(event_json(row));
    print_json({{"events", out}});
}

// Until the reader of the output closes it; a signal ends the process as usual.
Result<int> follow(const Context& context, EventReader& reader, EventQuery query) {
    query.newest_first = false;
    query.limit = 1000;
    while (output_is_read(kFollowMillis)) {
        SHM_ASSIGN(const auto rows, reader.query(query));
        if (rows.empty()) continue;
        query.after_seq = rows.back().seq;
        print_rows(context, rows, Layout::one_line);
    }
    return kDone;
}

Result<int> run_events(const Context& context, const EventOptions& options) {
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    SHM_ASSIGN(auto query, query_of(options, paths));
    SHM_ASSIGN(auto reader, EventReader::open(paths.events_db()));
    SHM_ASSIGN(auto rows, reader.query(query));
    const bool more = rows.size() > static_cast<std::size_t>(options.limit);
    if (more) rows.pop_back();
    std::reverse(rows.begin(), rows.end());
    print_rows(context, rows, options.follow ? Layout::one_line : Layout::indented);
    if (rows.empty() && !options.follow) print_note(context, "no recorded event matches");
    if (more && !options.follow)
        print_note(context, fmt::format("only the newest {} events are shown; --limit N shows more",
                                        options.limit));
    if (!options.follow) return kDone;
    query.after_seq = rows.empty() ? 0 : rows.back().seq;
    return follow(context, reader, query);
}

}  // namespace

void add_events(Command& app) {
    auto& command = app.add("events", "Show recorded events, oldest first; needs no manager");
    auto& options = command.options<EventOptions>();
    command.option("--region", "ID", options.region, "Only events of this region")
        .completed_with(Completion::regions);
    command.option("--kind", "KIND", options.kind, "Only events of this kind")
        .suggest(event_kinds());
    command.option("--since", "TIME", options.since,
                   "Only events from this time on, or from this long ago (10m)");
    command.option("--until", "TIME", options.until,
                   "Only events before this time, or older than this (10m)");
    command
        .option("--limit", "N", options.limit, "Show at most N events, the newest (default: 100)")
        .range(1, 10'000'000);
    command.flag("--follow", options.follow,
                 "Show new events as they happen; with --json one per line");
    command.footer(fmt::format("Kinds: {}", fmt::join(event_kinds(), " ")));
    command.run(run_events, options);
}

}  // namespace snakepit::shm::cli
