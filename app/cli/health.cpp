// SPDX-License-Identifier: MIT
// Prints what core/diagnostics finds.
#include <QJsonObject>

#include "command.h"
#include "diagnostics/health.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

void print_checks(const Health& health) {
    Table table({"CHECK", "STATUS", "FOUND"});
    for (const auto& check : health.by_severity()) {
        table.add({check.name, std::string(to_string(check.result)), check.message});
        if (!check.remedy.empty()) table.add({"", "", "  → " + check.remedy});
    }
    print(table.str());
}

Result<int> run_health(const Context& context) {
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    const auto health = check_health(paths);
    if (context.json)
        print_json(health.json());
    else
        print_checks(health);
    return health.healthy() ? kDone : kProblemsFound;
}

}  // namespace

void add_health(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "health",
                                "Check an instance from outside, with or without its manager: what "
                                "is wrong comes first, with what repairs it");
    command->callback([&context] { context.action = [&context] { return run_health(context); }; });
}

}  // namespace snakepit::shm::cli
