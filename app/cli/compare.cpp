// SPDX-License-Identifier: MIT
// compare: what differs between the regions of two moments, two bundles, or either and now.
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/moment.h"
#include "base/paths.h"
#include "base/pluralize.h"
#include "base/units.h"
#include "command.h"
#include "diagnostics/bundle_reader.h"
#include "events/region_comparison.h"
#include "json.h"
#include "layout/client_words.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr auto kNow = "now";

struct CompareOptions {
    std::string before, after = kNow, by = "region";
};

struct Capture {
    std::string source;  // "now", "events", or a bundle's file
    Timestamp at;
    std::vector<RegionRow> rows;
    std::vector<std::string> notes;  // what is not known, a sentence each
};

Result<Capture> capture_now(const Context& context) {
    SHM_ASSIGN(const auto client, connect(context));
    Capture out{kNow, now(), {}, {}};
    SHM_ASSIGN(const auto regions, client->list());
    out.rows = rows_of(regions);
    return out;
}

Result<Capture> capture_bundle(const std::string& file) {
    SHM_ASSIGN(const auto bundle, BundleReader::open(file));
    Capture out{file, bundle.manifest().created_at, {}, {}};
    SHM_ASSIGN(out.rows, bundle.regions());
    return out;
}

// What the registry shows now explains what no event tells.
std::optional<std::vector<RegionInfo>> present_in(const std::string& registry) {
    auto reader = RegistryReader::open(registry);
    if (!reader) return std::nullopt;
    std::vector<RegionInfo> out;
    for (auto& row : reader->poll().changed) out.push_back(std::move(row.info));
    return out;
}

Error not_recorded(const PastState& state) {
    const auto reach =
        state.first.micros == 0
            ? std::string("it is empty")
            : fmt::format("it covers {} to {}", to_rfc3339(state.first), to_rfc3339(state.last));
    return make_error(ErrorCode::region_not_found,
                      fmt::format("no history of {}: {}", to_rfc3339(state.moment), reach),
                      "choose a time in the history, or a bundle from that time");
}

Result<Capture> capture_moment(const Context& context, Timestamp moment) {
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    SHM_ASSIGN(auto events, EventReader::open(paths.events_db()));
    RegionHistory history([&events](const EventQuery& query) { return events.query(query); });
    const auto present = present_in(paths.registry());
    SHM_ASSIGN(const auto state, history.at(moment, present, [](std::int64_t) { return true; }));
    if (!state.recorded) return fail(not_recorded(state));
    Capture out{"events", moment, {}, {}};
    out.rows = rows_of(state, present ? &*present : nullptr);
    if (state.not_known > 0)
        out.notes.push_back(fmt::format(
            "{} not listed: events were lost, so it is unknown whether they existed at {}.",
            pluralize(state.not_known, "region is", "regions are"), to_rfc3339(moment)));
    return out;
}

// A file goes before a moment: "10m" may be one, too.
Result<Capture> capture(const Context& context, const std::string& word) {
    if (word == kNow) return capture_now(context);
    std::error_code unreadable;
    if (std::filesystem::exists(word, unreadable)) return capture_bundle(word);
    const auto moment = parse_moment(word);
    if (moment) return capture_moment(context, *moment);
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("'{}' is not a time, and no such file exists", word),
        "use a time (2026-11-22T22:17:35Z), an age (10m, 2h), the file of a bundle, or 'now'");
}

// ------------------------------------------------------------------------ text

Tone tone_of(RegionDifferenceKind kind) {
    switch (kind) {
        case RegionDifferenceKind::gone:
            return Tone::dim;
        case RegionDifferenceKind::added:
            return Tone::good;
        case RegionDifferenceKind::replaced:
        case RegionDifferenceKind::changed:
            break;
    }
    return Tone::warning;
}

void print_differences(const RegionComparison& found) {
    Table table({"CHANGE!", "ID#", "NAME", "SIZE>", "OWNER", "DIFFERENCES"});
    table.may_leave_out({"NAME", "OWNER"});
    for (const auto& one : found.differences) {
        const auto& region = one.region();
        const bool known = ((one.after ? one.after : one.before)->unknown & kPartSize) == 0;
        table.add({{to_string(one.kind), tone_of(one.kind)},
                   region.id.str(),
                   region.name.empty() ? "-" : region.name,
                   known ? format_size(region.size) : std::string("-"),
                   process_label(region.owner_process, region.owner_pid),
                   describe(one)});
    }
    if (!found.differences.empty()) print(table);
}

void print_totals(const RegionComparison& found, ComparedBy by) {
    Table table({by == ComparedBy::program  ? "PROGRAM"
                 : by == ComparedBy::worker ? "WORKER"
                                            : "USER",
                 "BEFORE>", "AFTER>", "GROWTH>", "REGIONS>", "ADDED>", "GONE>"});
    for (const auto& total : found.by(by))
        table.add({total.name, format_size(total.bytes_before), format_size(total.bytes_after),
                   format_growth(total.growth()), fmt::format("{}", total.regions_after),
                   fmt::format("{}", total.added), fmt::format("{}", total.gone)});
    print(table);
}

std::string capture_text(const Capture& capture, std::uint64_t regions, std::uint64_t bytes) {
    const auto where =
        capture.source == kNow ? std::string() : fmt::format(" ({})", capture.source);
    return fmt::format("{}{}: {}, {}\n", to_rfc3339(capture.at), where,
                       pluralize(regions, "region"), format_size(bytes));
}

void print_text(const Capture& before, const Capture& after, const RegionComparison& found,
                std::optional<ComparedBy> by) {
    const auto& total = found.total;
    print("before  " + capture_text(before, total.regions_before, total.bytes_before));
    print("after   " + capture_text(after, total.regions_after, total.bytes_after));
    print(fmt::format(
        "{} added, {} gone, {} replaced, {} changed, {} unchanged; {}\n",
        found.count(RegionDifferenceKind::added), found.count(RegionDifferenceKind::gone),
        found.count(RegionDifferenceKind::replaced), found.count(RegionDifferenceKind::changed),
        found.same, format_growth(total.growth())));
    if (by || !found.differences.empty()) print("\n");
    if (by)
        print_totals(found, *by);
    else
        print_differences(found);
    for (const auto* capture : {&before, &after})
        for (const auto& note : capture->notes) print(fmt::format("note: {}\n", note));
}

// ------------------------------------------------------------------------ JSON

QJsonObject capture_json(const Capture& capture, std::uint64_t regions, std::uint64_t bytes) {
    QJsonArray notes;
    for (const auto& note : capture.notes) notes.append(text(note));
    return {{"source", text(capture.source)},
            {"time", json(capture.at)},
            {"regions", json(regions)},
            {"bytes", json(bytes)},
            {"notes", notes}};
}

QJsonArray aspects_json(std::uint32_t aspects) {
    QJsonArray out;
    for (const auto aspect : kRegionAspects)
        if ((aspects & aspect) != 0) out.append(text(to_string(aspect)));
    return out;
}

// Keys of what an event does not tell.
constexpr std::pair<std::uint32_t, std::array<const char*, 12>> kKeysOfParts[] = {
    {kPartSize, {"size"}},
    {kPartOwner, {"owner_pid", "owner_uid", "owner_process", "worker"}},
    {kPartState, {"state", "sealed", "inconsistent", "has_policy"}},
    {kPartReferences, {"reference_count", "holder_count", "references"}},
    {kPartOptions, {"permissions", "security_level", "cleanup_policy", "owner_end", "access_mode"}},
    {kPartUse, {"last_accessed", "access_count"}},
    {kPartRest,
     {"actual_size", "timeout", "metadata", "platform_handle", "placement", "arena", "offset",
      "audit_access", "policy_in_effect", "session", "quarantined_until"}}};

// What is not known is null.
QJsonValue row_json(const std::optional<RegionRow>& row) {
    if (!row) return {};
    auto out = region_json(row->info);
    for (const auto& [part, keys] : kKeysOfParts)
        for (const auto* key : keys)
            if (key && (row->unknown & part) != 0) out[QLatin1String(key)] = QJsonValue();
    return out;
}

QJsonArray totals_json(const RegionComparison& found, ComparedBy by) {
    QJsonArray out;
    for (const auto& total : found.by(by))
        out.append(QJsonObject{{"name", text(total.name)},
                               {"regions_before", json(total.regions_before)},
                               {"regions_after", json(total.regions_after)},
                               {"bytes_before", json(total.bytes_before)},
                               {"bytes_after", json(total.bytes_after)},
                               {"growth", json(total.growth())},
                               {"added", json(total.added)},
                               {"gone", json(total.gone)}});
    return out;
}

QJsonObject document(const Capture& before, const Capture& after, const RegionComparison& found) {
    const auto& total = found.total;
    QJsonArray differences;
    for (const auto& one : found.differences)
        differences.append(QJsonObject{{"change", text(to_string(one.kind))},
                                       {"id", text(one.region().id.str())},
                                       {"differs", aspects_json(one.aspects)},
                                       {"not_known", aspects_json(one.unknown)},
                                       {"before", row_json(one.before)},
                                       {"after", row_json(one.after)}});
    return {{"before", capture_json(before, total.regions_before, total.bytes_before)},
            {"after", capture_json(after, total.regions_after, total.bytes_after)},
            {"added", json(total.added)},
            {"gone", json(total.gone)},
            {"same", json(found.same)},
            {"growth", json(total.growth())},
            {"differences", differences},
            {"programs", totals_json(found, ComparedBy::program)},
            {"workers", totals_json(found, ComparedBy::worker)},
            {"users", totals_json(found, ComparedBy::user)}};
}

Result<int> run_compare(const Context& context, const CompareOptions& options) {
    std::optional<ComparedBy> by;
    for (const auto one : kComparedBy)
        if (to_string(one) == options.by) by = one;
    SHM_ASSIGN(const auto before, capture(context, options.before));
    SHM_ASSIGN(const auto after, capture(context, options.after));
    const auto found = compare_regions(before.rows, after.rows);
    if (context.json)
        print_json(document(before, after, found));
    else
        print_text(before, after, found, by);
    return kDone;
}

}  // namespace

void add_compare(Command& app) {
    auto& command = app.add("compare", "Compare the regions of two moments or bundles");
    auto& options = command.options<CompareOptions>();
    command
        .argument("BEFORE", options.before,
                  "A time (2026-11-22T22:17:35Z), an age (10m), the file of a bundle, or 'now'")
        .required()
        .completed_with(Completion::files);
    command.argument("AFTER", options.after, "As BEFORE (default: now)")
        .completed_with(Completion::files);
    command
        .option("--by", "WHAT", options.by,
                "List regions (default), or totals by program, worker or user")
        .one_of({"region", "program", "worker", "user"});
    command.footer(
        "A moment is rebuilt from the recorded events. A region is replaced if a new region took\n"
        "its name.");
    command.run(run_compare, options);
}

}  // namespace snakepit::shm::cli
