// SPDX-License-Identifier: MIT
// health: the checks of core/diagnostics.
#include <QJsonObject>

#include "command.h"
#include "diagnostics/health.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

Toned status_of(CheckResult result) {
    switch (result) {
        case CheckResult::ok:
            return {to_string(result), Tone::good};
        case CheckResult::not_running:
            return {"not running", Tone::dim};
        case CheckResult::warning:
            return {to_string(result), Tone::warning};
        case CheckResult::problem:
            break;
    }
    return {to_string(result), Tone::bad};
}

void print_checks(const Health& health) {
    Table table({"CHECK", "STATUS", "FOUND"});
    for (const auto& check : health.by_severity()) {
        table.add({check.name, status_of(check.result), check.message});
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
