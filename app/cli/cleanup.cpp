// SPDX-License-Identifier: MIT
// cleanup and restore: a rehearsal, the plan it makes, running exactly that plan, and undoing it.
#include <fmt/format.h>

#include <memory>

#include <QJsonArray>

#include "base/counted.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "output.h"
#include "read_document.h"

namespace snakepit::shm::cli {

namespace {

// Larger is no plan of ours: a million regions take some 150 MB.
constexpr std::size_t kLargestPlan = 256U << 20;

struct Plan {
    CleanupRequest request;      // that made it
    std::vector<RegionId> goes;  // what it would take
};

tl::unexpected<Error> no_plan(const std::string& file, std::string_view why) {
    return fail(ErrorCode::invalid_argument, fmt::format("{} holds no plan: {}", file, why),
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
        return no_plan(file, "it is not what a dry run prints");
    Plan plan{request_of(document->value("criteria").toObject()), {}};
    if (!plan.request.has_criteria() && !plan.request.scoped())
        return no_plan(file, "it does not say what it was made for");
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
    return item.quarantined ? "quarantine" : item.removed ? "yes" : "no";
}

void print_items(const CleanupResult& result) {
    Table table({"ID", "SIZE>", result.dry_run ? "WOULD GO" : "WENT", "REASON"});
    for (const auto& item : result.items)
        table.add(
            {item.id.str(), format_size(item.bytes), std::string(outcome_of(item)), item.reason});
    if (!result.items.empty()) print(table.str());
    const auto freed = result.removed - result.quarantined;
    print(fmt::format("{} {}, {}\n", result.dry_run ? "would remove" : "removed",
                      counted(freed, "region"), format_size(result.bytes_freed)));
    if (result.quarantined == 0) return;
    print(fmt::format("{} in quarantine {}, {}{}\n", result.dry_run ? "would put" : "put",
                      counted(result.quarantined, "region"), format_size(result.bytes_quarantined),
                      result.dry_run ? "" : ": snakepit-shm restore ID brings one back"));
}

// What can be restored lasts only for as long as its quarantine; a plan says all that is needed.
Result<int> run_cleanup(const Context& context, CleanupRequest request) {
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
    print(changed == 0 ? fmt::format("all of the plan's {} went\n", plan.goes.size())
                       : fmt::format("{} of the plan's {} did not go: the reasons say what changed "
                                     "meanwhile\n",
                                     changed, plan.goes.size()));
    return kDone;
}

Result<int> run_restore(const Context& context, const std::vector<std::string>& words) {
    SHM_ASSIGN(const auto ids, parse_ids(words));
    SHM_ASSIGN(auto client, connect(context));
    QJsonArray done;
    std::vector<Error> errors;
    for (const auto& id : ids) {
        const auto next = client->restore(id);
        if (!next) {
            errors.push_back(next.error());
            continue;
        }
        done.append(QJsonObject{{"id", text(id.str())}, {"next", text(*next)}});
        if (!context.json) print(fmt::format("{} restored; cleaning: {}\n", id.str(), *next));
    }
    if (context.json) print_json({{"restored", done}});
    return report_errors(context, errors);
}

}  // namespace

void add_cleanup(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "cleanup",
                                "Remove what is due, or what you choose; says why for each region");
    auto request = std::make_shared<CleanupRequest>();
    auto file = std::make_shared<std::string>();
    auto* plan = command->add_option("--plan", *file,
                                     "Run exactly the plan that --dry-run --json printed into this "
                                     "file; each region is checked again");
    auto* dry_run = command->add_flag("--dry-run", request->dry_run, "Only print the plan");
    auto* orphans = command->add_flag("--orphans", request->orphans, "Of programs that are gone");
    auto* expired =
        command->add_flag("--expired", request->expired, "Unused for longer than their timeout");
    auto* session = command->add_option("--session", request->session,
                                        "Only what was made in this session, due or not");
    auto* worker =
        command->add_option("--worker", request->worker, "Only what this worker made, due or not");
    auto* all = command->add_flag("--all-eligible", request->all_eligible,
                                  "Everything nobody holds, whatever its policy");
    auto* at_once = command->add_flag("--no-quarantine", request->no_quarantine,
                                      "Free it at once, and what is in quarantine too");
    all->excludes(orphans)->excludes(expired);
    for (auto* other : {dry_run, orphans, expired, session, worker, all, at_once})
        plan->excludes(other);
    command->callback([&context, request, file] {
        context.action = [&context, request, file] {
            return file->empty() ? run_cleanup(context, *request) : run_plan(context, *file);
        };
    });
}

void add_restore(CLI::App& app, Context& context) {
    auto* command =
        add_command(app, context, "restore", "Bring regions back that are in quarantine");
    auto ids = std::make_shared<std::vector<std::string>>();
    command->add_option("id", *ids, "The regions")->required();
    command->callback([&context, ids] {
        context.action = [&context, ids] { return run_restore(context, *ids); };
    });
}

}  // namespace snakepit::shm::cli
