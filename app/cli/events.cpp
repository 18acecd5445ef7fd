// SPDX-License-Identifier: MIT
// Reads the event database itself, so it works without a manager.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <memory>

#include <QJsonArray>

#include "command.h"
#include "events/event_reader.h"
#include "json.h"
#include "moments.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kFollowMillis = 250;

struct Words {
    std::string region, kind, since, until;
    int limit = 100;
    bool follow = false;
};

Result<EventQuery> query_of(const Words& words) {
    EventQuery query;
    SHM_TRY(choose(query, words.region, words.kind));
    SHM_ASSIGN(query.since, moment(words.since));
    SHM_ASSIGN(query.until, moment(words.until));
    query.limit = words.limit;
    query.newest_first = true;
    return query;
}

std::string line_of(const EventRow& event) {
    auto out = fmt::format("{:>8}  {}  {:<19}  {:<37}  {:>7}", event.seq, to_rfc3339(event.time),
                           to_string(event.kind), event.region_id, event.pid);
    if (event.result != "ok") out += "  " + event.result;
    if (!event.detail.empty() && event.detail != "{}") out += "  " + event.detail;
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

// Until the reader of our output is gone; a signal ends us as usual.
Result<int> follow(const Context& context, EventReader& reader, EventQuery query) {
    query.newest_first = false;
    query.limit = 1000;
    pollfd output{1, 0, 0};
    while (output_written() && ::poll(&output, 1, kFollowMillis) == 0) {
        SHM_ASSIGN(const auto rows, reader.query(query));
        if (rows.empty()) continue;
        query.after_seq = rows.back().seq;
        print_rows(context, rows, Layout::one_line);
    }
    return kDone;
}

Result<int> run_events(const Context& context, const Words& words) {
    SHM_ASSIGN(auto query, query_of(words));
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    SHM_ASSIGN(auto reader, EventReader::open(paths.events_db()));
    SHM_ASSIGN(auto rows, reader.query(query));
    std::reverse(rows.begin(), rows.end());
    print_rows(context, rows, words.follow ? Layout::one_line : Layout::indented);
    if (!words.follow) return kDone;
    query.after_seq = rows.empty() ? 0 : rows.back().seq;
    return follow(context, reader, query);
}

std::string kinds_footer() {
    std::string out = "Kinds:";
#define X(name, number) out += " " #name;
    SNAKEPIT_SHM_EVENT_KINDS(X)
#undef X
    return out;
}

}  // namespace

void add_events(CLI::App& app, Context& context) {
    auto* command =
        add_command(app, context, "events", "Print what happened, oldest first; needs no manager");
    auto words = std::make_shared<Words>();
    command->add_option("--region", words->region, "About this region only");
    command->add_option("--kind", words->kind, "Of this kind only");
    command->add_option("--since", words->since, "From this time on, or how long ago (10m)");
    command->add_option("--until", words->until, "Before this time, or how long ago");
    command->add_option("--limit", words->limit, "The newest so many (default 100)")
        ->check(CLI::Range(1, 10'000'000));
    command->add_flag("--follow", words->follow,
                      "Go on with what happens; with --json one event a line");
    command->footer(kinds_footer());
    command->callback([&context, words] {
        context.action = [&context, words] { return run_events(context, *words); };
    });
}

}  // namespace snakepit::shm::cli
