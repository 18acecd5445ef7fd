// SPDX-License-Identifier: MIT
// list, info, deallocate.
#include <fmt/format.h>

#include <algorithm>

#include <QJsonArray>

#include "base/filter.h"
#include "base/pluralize.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "layout/client_words.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr int kWatchMillis = 250;
constexpr auto kFilterHelp =
    "Only regions that match: name:model size>1MiB owner:python holder:1234 worker:w7 "
    "state:orphan cleanup:manual refs=0 age>10m words ... (-- before a word that begins with -)";

struct RegionListOptions {
    std::vector<std::string> filter;
    bool watch = false;
};

Tone tone_of(RegionState state) {
    switch (state) {
        case RegionState::live:
            break;
        case RegionState::orphan:
            return Tone::warning;
        case RegionState::closing:
        case RegionState::quarantined:
            return Tone::dim;
        case RegionState::revoked:
        case RegionState::damaged:
            return Tone::bad;
    }
    return Tone::plain;
}

void print_regions(const Context& context, const std::string& filter,
                   const std::vector<RegionInfo>& regions, Layout layout) {
    if (context.json) {
        QJsonArray out;
        for (const auto& region : regions) out.append(region_json(region));
        return print_json({{"regions", out}}, layout);
    }
    if (regions.empty())
        return print(filter.empty() ? "no regions\n" : "no regions match the filter\n");
    const bool workers = std::any_of(regions.begin(), regions.end(),
                                     [](const auto& r) { return !r.worker.empty(); });
    const bool names =
        std::any_of(regions.begin(), regions.end(), [](const auto& r) { return !r.name.empty(); });
    std::vector<std::string> titles{"ID#",   "SIZE>",   "REFS>", "STATE",
                                    "OWNER", "CLEANUP", "AGE>",  "USED>"};
    if (workers) titles.insert(titles.begin() + 5, "WORKER");
    if (names) titles.insert(titles.begin() + 1, "NAME");
    Table table(titles);
    for (const auto& region : regions) {
        std::vector<Toned> cells{region.id.str(),
                                 format_size(region.size),
                                 fmt::format("{}", region.reference_count),
                                 {to_string(region.state), tone_of(region.state)},
                                 process_label(region.owner_process, region.owner_pid),
                                 to_string(region.cleanup_policy),
                                 age(region.created_at),
                                 age(region.last_accessed)};
        if (workers) cells.insert(cells.begin() + 5, region.worker.empty() ? "-" : region.worker);
        if (names) cells.insert(cells.begin() + 1, region.name.empty() ? "-" : region.name);
        table.add(std::move(cells));
    }
    print(table);
}

// What a watcher waits for: not that time passes.
std::string changeable(const std::vector<RegionInfo>& regions) {
    std::string out;
    for (const auto& region : regions)
        out += fmt::format("{} {} {} {} {} {}\n", region.id.str(), region.size,
                           region.reference_count, to_string(region.state),
                           to_string(region.cleanup_policy), region.owner_pid);
    return out;
}

// Until the reader of the output closes it; a signal ends the process as usual.
Result<int> watch_list(const Context& context, ManagerClient& client, const std::string& filter) {
    std::string shown;
    for (bool first = true; first || output_is_read(kWatchMillis); first = false) {
        SHM_ASSIGN(const auto regions, client.list(filter));
        const auto now_there = changeable(regions);
        const bool redraws = output_is_terminal() && !context.json;
        if (!first && now_there == shown && !redraws) continue;
        if (redraws)
            clear_screen();
        else if (!first && !context.json)
            print("\n");
        print_regions(context, filter, regions, Layout::one_line);
        shown = now_there;
    }
    return kDone;
}

Result<int> run_list(const Context& context, const RegionListOptions& options) {
    const auto filter = joined(options.filter);
    SHM_TRY(RegionFilter::parse(filter));  // a usage error is found here
    SHM_ASSIGN(auto client, connect(context));
    if (options.watch) return watch_list(context, *client, filter);
    SHM_ASSIGN(const auto regions, client->list(filter));
    print_regions(context, filter, regions, Layout::indented);
    return kDone;
}

void print_holders(const std::vector<RegionReference>& references) {
    Table holders({"PID>", "PROCESS", "WORKER", "REFERENCES>", "ACCESS", "CONNECTED"});
    for (const auto& holder : references) {
        holders.add({fmt::format("{}", holder.pid), holder.process,
                     holder.worker.empty() ? "-" : holder.worker, fmt::format("{}", holder.count),
                     to_string(holder.access),
                     holder.connected ? Toned("yes") : Toned(kNotReconnected, Tone::warning)});
    }
    print("\n");
    print(holders);
}

Result<int> run_info(const Context& context, const std::string& word) {
    SHM_ASSIGN(const auto target, connect_to(context, {word}));
    const auto& client = target.client;
    SHM_ASSIGN(const auto region, client->info(target.ids.front()));
    auto document = region_json(region, true);
    // The manager explains it to those who manage the region.
    if (!region.policy_in_effect)
        if (const auto policy = client->policy(region.id))
            document.insert("policy_note", parse_object(*policy).value_or(QJsonObject{})["note"]);
    if (context.json) {
        print_json(document);
        return kDone;
    }
    document.remove("references");
    print(facts_of(document));
    if (!region.references.empty()) print_holders(region.references);
    return kDone;
}

struct DeallocateOptions {
    std::vector<std::string> ids;
    bool force = false, quarantine = false;
};

// `left`: what is left of it, unless it was freed.
std::string outcome(const Result<RegionInfo>& left, bool quarantine) {
    if (quarantine) return "in quarantine; until that ends 'snakepit-shm restore' restores it";
    std::string holders = "its memory is freed with the last reference";
    if (left && left->reference_count > 0)
        holders =
            fmt::format("{} left, and {}", pluralize(left->reference_count, "reference"), holders);
    const bool revoked = left && left->state == RegionState::revoked;
    return fmt::format("{}; {}", revoked ? "zeroed and revoked" : "withdrawn", holders);
}

Result<int> run_deallocate(const Context& context, const DeallocateOptions& options) {
    SHM_ASSIGN(const auto target, connect_to(context, options.ids));
    QJsonArray done;
    std::vector<Error> errors;
    for (const auto& id : target.ids) {
        const auto freed = options.quarantine ? target.client->quarantine(id)
                                              : target.client->deallocate(id, options.force);
        if (!freed) {
            errors.push_back(freed.error());
            continue;
        }
        Result<RegionInfo> left = fail(ErrorCode::region_not_found, "it was freed");
        if (!*freed) left = target.client->info(id);
        done.append(QJsonObject{{"id", text(id.str())},
                                {"freed", *freed},
                                {"quarantined", options.quarantine && !*freed},
                                {"revoked", left && left->state == RegionState::revoked}});
        if (!context.json)
            print(fmt::format("{} {}\n", id.str(),
                              *freed ? "freed" : outcome(left, options.quarantine)));
    }
    if (context.json) print_json({{"deallocated", done}});
    return report_errors(context, errors);
}

}  // namespace

void add_list(Command& app) {
    auto& command = app.add("list", "List the regions, newest last");
    auto& options = command.options<RegionListOptions>();
    command.argument("FILTER", options.filter, kFilterHelp);
    command.flag("--watch", options.watch,
                 "List them again when something changes, until interrupted");
    command.run(run_list, options);
}

void add_info(Command& app) {
    auto& command = app.add("info", "Show a region and its holders");
    command.run(run_info, command.region());
}

void add_deallocate(Command& app) {
    auto& command =
        app.add("deallocate", "Withdraw regions; memory is freed with the last reference");
    auto& options = command.options<DeallocateOptions>();
    command.regions(options.ids);
    auto& force =
        command.flag("--force", options.force, "Zero and revoke memory that is still held");
    command
        .flag("--quarantine", options.quarantine,
              "Keep them for the configured time, so that they can be restored; refused for held "
              "regions")
        .excludes(force);
    command.run(run_deallocate, options);
}

}  // namespace snakepit::shm::cli
