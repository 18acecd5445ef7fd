// SPDX-License-Identifier: MIT
// health: the checks of core/diagnostics.
#include <QJsonObject>

#include "command.h"
#include "diagnostics/health.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

Tone tone_of(std::string_view status) {
    return status == "ok" ? Tone::good : status == "problem" ? Tone::bad : Tone::warning;
}

void print_checks(const Health& health) {
    Table table({"CHECK", "STATUS", "FOUND"});
    for (const auto& check : health.by_severity()) {
        table.add({check.name,
                   {to_string(check.result), tone_of(to_string(check.result))},
                   check.message});
        if (!check.remedy.empty()) table.add({"", "", "  → " + check.remedy});
    }
    print(table);
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

void add_health(Command& app) {
    app.add("health", "Check an instance and show what to repair; needs no manager")
        .run(run_health);
}

}  // namespace snakepit::shm::cli
