// SPDX-License-Identifier: MIT
// cleanup and restore: a dry run, the plan it makes, running exactly that plan, and undoing it.
#include <fmt/format.h>

#include <map>
#include <vector>

#include <QJsonArray>

#include "base/pluralize.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"
#include "read_document.h"

namespace snakepit::shm::cli {

namespace {

// A plan of a million regions takes some 150 MB.
constexpr std::size_t kLargestPlan = 256U << 20;

struct Plan {
    CleanupRequest request;      // that made it
    std::vector<RegionId> goes;  // what it would take
};

tl::unexpected<Error> no_plan(const std::string& file, std::string_view why) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} is not a cleanup plan: {}", file, why),
                "make one with: snakepit-shm cleanup --dry-run --json > plan.json");
}

QJsonObject criteria_json(const CleanupRequest& request) {
    return {{"due", request.due},
            {"orphans", request.orphans},
            {"expired", request.expired},
            {"all_eligible", request.all_eligible},
            {"no_quarantine", request.no_quarantine},
            {"session", text(request.session)},
            {"worker", text(request.worker)}};
}

CleanupRequest request_of(const QJsonObject& criteria) {
    CleanupRequest request;
    request.due = criteria.value("due").toBool();
    request.orphans = criteria.value("orphans").toBool();
    request.expired = criteria.value("expired").toBool();
    request.all_eligible = criteria.value("all_eligible").toBool();
    request.no_quarantine = criteria.value("no_quarantine").toBool();
    request.session = criteria.value("session").toString().toStdString();
    request.worker = criteria.value("worker").toString().toStdString();
    return request;
}

Result<Plan> read_plan(const std::string& file) {
    SHM_ASSIGN(const auto content, read_document(file, kLargestPlan, "the plan"));
    if (content.size() > kLargestPlan) return no_plan(file, "it is too large");
    const auto document = parse_object(content);
    if (!document) return no_plan(file, document.error().message);
    if (!document->value("dry_run").toBool() || !document->value("criteria").isObject())
        return no_plan(file, "it was not made by a dry run");
    Plan plan{request_of(document->value("criteria").toObject()), {}};
    if (!plan.request.has_criteria() && !plan.request.scoped())
        return no_plan(file, "its criteria are missing");
    for (const auto& value : document->value("items").toArray()) {
        const auto item = value.toObject();
        if (!item.value("removed").toBool()) continue;
        const auto id = RegionId::parse(item.value("id").toString().toStdString());
        if (!id) return no_plan(file, id.error().message);
        plan.goes.push_back(*id);
    }
    return plan;
}

std::string_view outcome_of(const CleanupItem& item) {
    return item.quarantined ? "quarantined" : "freed";
}

// How many stay, and why; the region where it is one.
void print_kept(const CleanupResult& result) {
    std::map<std::string, std::vector<const CleanupItem*>> kept;
    for (const auto& item : result.items)
        if (!item.removed) kept[item.reason].push_back(&item);
    if (kept.empty()) return;
    Table table({result.dry_run ? "WOULD STAY#" : "STAYED#", "REASON"});
    for (const auto& [reason, items] : kept)
        table.add({items.size() == 1 ? items.front()->id.str() : pluralize(items.size(), "region"),
                   reason});
    print(table);
}

void print_items(const CleanupResult& result) {
    Table table({"ID#", "SIZE>", result.dry_run ? "WOULD BE" : "OUTCOME", "REASON"});
    for (const auto& item : result.items)
        if (item.removed)
            table.add({item.id.str(), format_size(item.bytes), outcome_of(item), item.reason});
    if (result.removed > 0) print(table);
    print_kept(result);
    const auto freed = result.removed - result.quarantined;
    if (freed > 0 || result.quarantined == 0)
        print(fmt::format("{} {}, {}\n", result.dry_run ? "would remove" : "removed",
                          pluralize(freed, "region"), format_size(result.bytes_freed)));
    if (result.quarantined == 0) return;
    print(fmt::format("{} {} into quarantine, {}{}\n", result.dry_run ? "would put" : "put",
                      pluralize(result.quarantined, "region"),
                      format_size(result.bytes_quarantined),
                      result.dry_run ? "" : ": snakepit-shm restore ID restores one"));
}

Result<int> run_request(const Context& context, CleanupRequest request) {
    if (!request.has_criteria() && !request.scoped()) request.due = true;
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto result, client->cleanup(request));
    if (!context.json) {
        print_items(result);
        return kDone;
    }
    auto document = cleanup_json(result);
    document.insert("criteria", criteria_json(request));
    print_json(document);
    return kDone;
}

Result<int> run_plan(const Context& context, const std::string& file) {
    SHM_ASSIGN(auto plan, read_plan(file));
    CleanupResult result;
    if (!plan.goes.empty()) {  // nothing named would mean everything
        SHM_ASSIGN(auto client, connect(context));
        plan.request.only = plan.goes;
        SHM_ASSIGN(result, client->cleanup(plan.request));
    }
    const auto changed = result.items.size() - result.removed;
    if (context.json) {
        auto document = cleanup_json(result);
        document.insert("criteria", criteria_json(plan.request));
        document.insert("planned", static_cast<qint64>(plan.goes.size()));
        document.insert("changed_meanwhile", static_cast<qint64>(changed));
        print_json(document);
        return kDone;
    }
    print_items(result);
    print(changed == 0 ? fmt::format("all {} of the plan were removed\n",
                                     pluralize(plan.goes.size(), "region"))
                       : fmt::format("{} of the plan's {} stayed: the reasons above show what "
                                     "changed meanwhile\n",
                                     changed, pluralize(plan.goes.size(), "region")));
    return kDone;
}

Result<int> run_restore(const Context& context, const std::vector<std::string>& words) {
    SHM_ASSIGN(const auto target, connect_to(context, words));
    QJsonArray done;
    std::vector<Error> errors;
    for (const auto& id : target.ids) {
        const auto next = target.client->restore(id);
        if (!next) {
            errors.push_back(next.error());
            continue;
        }
        done.append(QJsonObject{{"id", text(id.str())}, {"next", text(*next)}});
        if (!context.json) print(fmt::format("{} restored; next cleanup: {}\n", id.str(), *next));
    }
    if (context.json) print_json({{"restored", done}});
    return report_errors(context, errors);
}

struct CleanupOptions {
    CleanupRequest request;
    std::string plan;
};

Result<int> run_cleanup(const Context& context, const CleanupOptions& options) {
    return options.plan.empty() ? run_request(context, options.request)
                                : run_plan(context, options.plan);
}

}  // namespace

void add_cleanup(Command& app) {
    auto& command =
        app.add("cleanup", "Remove regions that are due or chosen, and show the reason for each");
    auto& options = command.options<CleanupOptions>();
    auto& request = options.request;
    auto& dry_run = command.flag("--dry-run", request.dry_run,
                                 "Show what would be removed, and change nothing");
    auto& orphans =
        command.flag("--orphans", request.orphans, "Remove regions whose owner has exited");
    auto& expired = command.flag("--expired", request.expired,
                                 "Remove regions unused for longer than their timeout");
    auto& session = command.option("--session", "NAME", request.session,
                                   "Remove only regions allocated in this session, due or not");
    auto& worker = command.option("--worker", "NAME", request.worker,
                                  "Remove only regions allocated by this worker, due or not");
    auto& all = command.flag("--all-eligible", request.all_eligible,
                             "Remove every region without references, whatever its cleanup policy");
    auto& at_once = command.flag("--no-quarantine", request.no_quarantine,
                                 "Free at once, including what is in quarantine");
    all.excludes(orphans).excludes(expired);
    auto& plan =
        command
            .option(
                "--plan", "FILE", options.plan,
                "Run exactly the plan that --dry-run --json wrote; each region is checked again")
            .with_file(FilePlace::read_here);
    for (const auto* other : {&dry_run, &orphans, &expired, &session, &worker, &all, &at_once})
        plan.excludes(*other);
    command.run(run_cleanup, options);
}

void add_restore(Command& app) {
    auto& command = app.add("restore", "Restore regions from quarantine");
    auto& ids = command.options<std::vector<std::string>>();
    command.regions(ids);
    command.run(run_restore, ids);
}

}  // namespace snakepit::shm::cli
