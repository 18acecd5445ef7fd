// SPDX-License-Identifier: MIT
#include "host_history.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/paths.h"
#include "base/pluralize.h"
#include "base/units.h"
#include "host_history/history_reader.h"
#include "host_history/history_schema.h"
#include "json.h"
#include "moments.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

std::uint64_t whole(double value) {
    return static_cast<std::uint64_t>(std::max(value, 0.0) + 0.5);
}

// What a reader may miss, a sentence each.
std::vector<std::string> not_recorded(const HostRecord& record) {
    std::vector<std::string> out;
    const auto& totals = record.totals;
    if (totals.unreadable > 0)
        out.push_back(fmt::format(
            "{} of {} could not be inspected: the recorder saw only what its user may see.",
            whole(totals.unreadable), pluralize(whole(totals.processes), "process", "processes")));
    if (record.seconds > 60)
        out.push_back(fmt::format("Only averages over {} are kept of that time.",
                                  format_duration(record.seconds * 1000)));
    for (const auto by : kTotalsBy) {
        const auto& names = totals.of(by);
        if (!names.empty() && names.back().name == kOtherNames)
            out.push_back(fmt::format("The {} largest {}s have a row each; the others are {}.",
                                      kMostNames, to_string(by), kOtherNames));
    }
    out.emplace_back("Single segments, their users and their verdicts are not recorded.");
    return out;
}

QJsonObject total_json(const UsageTotal& total) {
    return {{"bytes", json(whole(total.bytes))},
            {"most_bytes", json(whole(total.most_bytes))},
            {"segments", total.segments},
            {"left_over_bytes", json(whole(total.left_bytes))},
            {"left_over_segments", total.left_segments}};
}

QJsonArray names_json(const std::vector<UsageTotal>& totals) {
    QJsonArray out;
    for (const auto& total : totals) {
        auto object = total_json(total);
        object.insert("name", text(total.name));
        out.append(object);
    }
    return out;
}

void print_record(const Context& context, Timestamp asked, const HostRecord& record) {
    const auto& totals = record.totals;
    const auto missing = not_recorded(record);
    if (context.json) {
        QJsonArray sentences;
        for (const auto& sentence : missing) sentences.append(text(sentence));
        print_json({{"at", json(asked)},
                    {"time", json(totals.time)},
                    {"seconds", json(record.seconds)},
                    {"surveys", totals.surveys},
                    {"processes", json(whole(totals.processes))},
                    {"unreadable_processes", json(whole(totals.unreadable))},
                    {"total", total_json(totals.all)},
                    {"programs", names_json(totals.of(TotalsBy::program))},
                    {"users", names_json(totals.of(TotalsBy::user))},
                    {"groups", names_json(totals.of(TotalsBy::group))},
                    {"not_recorded", sentences}});
        return;
    }
    print(fmt::format("{} ({}): {:.6g} segments, {}; left over {:.6g}, {}\n\n",
                      to_rfc3339(totals.time), format_duration(record.seconds * 1000),
                      totals.all.segments, format_size(whole(totals.all.bytes)),
                      totals.all.left_segments, format_size(whole(totals.all.left_bytes))));
    Table table({"BY!", "NAME", "BYTES>", "MOST>", "SEGMENTS>", "LEFT OVER>", "LEFT BYTES>"});
    for (const auto by : kTotalsBy)
        for (const auto& total : totals.of(by))
            table.add({to_string(by), total.name, format_size(whole(total.bytes)),
                       format_size(whole(total.most_bytes)), fmt::format("{:.6g}", total.segments),
                       fmt::format("{:.6g}", total.left_segments),
                       format_size(whole(total.left_bytes))});
    print(table);
    for (const auto& sentence : missing) print(fmt::format("note: {}\n", sentence));
}

}  // namespace

Result<int> run_host_at(const Context& context, const std::string& time) {
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    SHM_ASSIGN(const auto asked, moment(time));
    HistoryReader reader(host_history_db(paths));
    const auto at = asked.value_or(now());
    SHM_ASSIGN(const auto record, reader.at(at));
    if (record) {
        print_record(context, at, *record);
        return kDone;
    }
    SHM_ASSIGN(const auto next, reader.next_to(at));
    const auto nearest = [](Timestamp one) {
        return one.micros == 0 ? std::string("nothing") : to_rfc3339(one);
    };
    return fail(
        ErrorCode::region_not_found,
        fmt::format("nothing is recorded of {}: no manager surveyed the host then", to_rfc3339(at)),
        fmt::format("the nearest records are of {} and {}", nearest(next.before),
                    nearest(next.after)));
}

SegmentMemory remembered_segments(const Context& context) {
    const auto paths = resolve_paths(context.instance);
    if (!paths) return {};
    auto known = HistoryReader(host_history_db(*paths)).segments();
    return known ? std::move(*known) : SegmentMemory();
}

}  // namespace snakepit::shm::cli
