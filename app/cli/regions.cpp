// SPDX-License-Identifier: MIT
// list, info, deallocate: what there is, and getting rid of it.
#include <fmt/format.h>

#include <memory>

#include <QJsonArray>

#include "base/filter.h"
#include "base/units.h"
#include "command.h"
#include "json.h"
#include "layout/client_words.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

Result<int> run_list(const Context& context, const std::string& filter) {
    SHM_TRY(RegionFilter::parse(filter));  // wrong words are ours
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto regions, client->list(filter));
    if (context.json) {
        QJsonArray out;
        for (const auto& region : regions) out.append(region_json(region));
        print_json({{"regions", out}});
        return kDone;
    }
    if (regions.empty()) {
        print(filter.empty() ? "no regions\n" : "no regions match the filter\n");
        return kDone;
    }
    Table table({"ID", "SIZE>", "REFS>", "STATE", "OWNER", "POLICY", "AGE>", "USED>"});
    for (const auto& region : regions) {
        table.add({region.id.str(), format_size(region.size),
                   fmt::format("{}", region.reference_count), std::string(to_string(region.state)),
                   process_label(region.owner_process, region.owner_pid),
                   std::string(to_string(region.cleanup_policy)), age(region.created_at),
                   age(region.last_accessed)});
    }
    print(table.str());
    return kDone;
}

Result<int> run_info(const Context& context, const std::string& word) {
    SHM_ASSIGN(const auto id, RegionId::parse(word));
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto region, client->info(id));
    auto document = region_json(region, true);
    // Told to those who manage it.
    if (!region.policy_in_effect)
        if (const auto policy = client->policy(id))
            document.insert("policy_note", parse_object(*policy).value_or(QJsonObject{})["note"]);
    if (context.json) {
        print_json(document);
        return kDone;
    }
    document.remove("references");
    print(lines_of(document));
    if (region.references.empty()) return kDone;
    Table holders({"PID>", "PROCESS", "REFERENCES>", "ACCESS", "CONNECTED"});
    for (const auto& holder : region.references) {
        holders.add({fmt::format("{}", holder.pid), holder.process, fmt::format("{}", holder.count),
                     std::string(to_string(holder.access)),
                     holder.connected ? "yes" : std::string(kNotReconnected)});
    }
    print("\n" + holders.str());
    return kDone;
}

std::string_view fate_of(bool gone, bool quarantine) {
    if (gone) return "freed";
    return quarantine ? "in quarantine; 'snakepit-shm restore' brings it back while that lasts"
                      : "withdrawn; its memory goes with the last reference";
}

Result<int> run_deallocate(const Context& context, const std::vector<std::string>& words,
                           bool force, bool quarantine) {
    SHM_ASSIGN(const auto ids, parse_ids(words));
    SHM_ASSIGN(auto client, connect(context));
    QJsonArray done;
    std::vector<Error> errors;
    for (const auto& id : ids) {
        const auto gone = quarantine ? client->quarantine(id) : client->deallocate(id, force);
        if (!gone) {
            errors.push_back(gone.error());
            continue;
        }
        done.append(QJsonObject{
            {"id", text(id.str())}, {"freed", *gone}, {"quarantined", quarantine && !*gone}});
        if (!context.json) print(fmt::format("{} {}\n", id.str(), fate_of(*gone, quarantine)));
    }
    if (context.json) print_json({{"deallocated", done}});
    return report_errors(context, errors);
}

}  // namespace

void add_list(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "list", "List the regions, newest last");
    auto words = std::make_shared<std::vector<std::string>>();
    command->add_option(
        "filter", *words,
        "size>1MiB owner:python state:orphan refs=0 words ... (-- before a word that "
        "begins with -)");
    command->callback([&context, words] {
        context.action = [&context, words] {
            std::string filter;
            for (const auto& word : *words) filter += filter.empty() ? word : " " + word;
            return run_list(context, filter);
        };
    });
}

void add_info(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "info", "Show one region and who holds it");
    auto id = std::make_shared<std::string>();
    command->add_option("id", *id, "The region")->required();
    command->callback(
        [&context, id] { context.action = [&context, id] { return run_info(context, *id); }; });
}

void add_deallocate(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "deallocate",
                                "Withdraw regions; memory goes when the last reference does");
    struct Words {
        std::vector<std::string> ids;
        bool force = false, quarantine = false;
    };
    auto words = std::make_shared<Words>();
    command->add_option("id", words->ids, "The regions")->required();
    auto* force = command->add_flag("--force", words->force,
                                    "Take the memory of held regions away at once (zeroed)");
    command
        ->add_flag("--quarantine", words->quarantine,
                   "Keep them for the configured time, so that restore brings them back; "
                   "refused for held ones")
        ->excludes(force);
    command->callback([&context, words] {
        context.action = [&context, words] {
            return run_deallocate(context, words->ids, words->force, words->quarantine);
        };
    });
}

}  // namespace snakepit::shm::cli
