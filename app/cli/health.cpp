// SPDX-License-Identifier: MIT
// Looks at an instance from outside, and asks its manager if one runs.
#include <fmt/format.h>

#include <QJsonArray>

#include "command.h"
#include "health_checks.h"
#include "json.h"
#include "output.h"

namespace snakepit::shm::cli {

namespace {

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::warning:
            return "warning";
        case Verdict::problem:
            break;
    }
    return "problem";
}

// What the manager found out about itself.
Result<std::vector<Check>> ask_manager(ManagerClient& client) {
    SHM_ASSIGN(const auto report, client.report("health"));
    SHM_ASSIGN(const auto document, parse_object(report));
    std::vector<Check> out;
    for (const auto& value : document.value("problems").toArray()) {
        const auto found = value.toObject();
        out.push_back({"manager", Verdict::problem, found.value("problem").toString().toStdString(),
                       found.value("remedy").toString().toStdString()});
    }
    return out;
}

// Appends what the manager says; true when one runs.
bool check_manager(const Context& context, std::vector<Check>& checks) {
    const auto failed = [&](const Error& error) {
        checks.push_back({"manager", Verdict::problem, error.message, error.remedy});
    };
    auto client = connect(context);
    if (!client) {
        if (client.error().type() == ErrorType::no_manager) {
            checks.push_back(
                {"manager", Verdict::ok, "none is running", "start one with: snakepit-shm serve"});
            return false;
        }
        failed(client.error());
        return true;
    }
    auto found = ask_manager(**client);
    if (!found) {
        failed(found.error());
        return true;
    }
    checks.push_back({"manager", Verdict::ok, "runs and answers", {}});
    checks.insert(checks.end(), found->begin(), found->end());
    return true;
}

std::vector<Check> all_checks(const Context& context, const InstancePaths& paths) {
    std::vector<Check> checks;
    const bool runs = check_manager(context, checks);
    const auto loaded = Config::load(paths.config_file);
    if (!loaded)
        checks.push_back(
            {"configuration", Verdict::problem, loaded.error().message, loaded.error().remedy});
    else
        checks.push_back({"configuration",
                          Verdict::ok,
                          paths.config_file.empty() ? "built-in defaults" : paths.config_file,
                          {}});
    const auto config = loaded.value_or(Config{});
    checks.push_back(check_directory("runtime_directory", paths.runtime_dir));
    checks.push_back(check_directory("state_directory", paths.state_dir));
    checks.push_back(check_runtime_in_memory(paths));
    checks.push_back(check_shared_memory_space(config));
    checks.push_back(check_registry(paths, runs));
    checks.push_back(check_database(paths));
    // A running manager may be just about to enter a segment in its registry, and looks itself.
    if (!runs) checks.push_back(check_leftovers(paths, config));
    checks.push_back(check_logout(config));
    for (auto& check : check_limits(config)) checks.push_back(std::move(check));
    return checks;
}

void print_checks(const std::vector<Check>& checks) {
    Table table({"CHECK", "STATUS", "FOUND"});
    for (const auto& check : checks) {
        table.add({check.name, std::string(to_string(check.verdict)), check.message});
        if (!check.remedy.empty()) table.add({"", "", "  → " + check.remedy});
    }
    print(table.str());
}

Result<int> run_health(const Context& context) {
    SHM_ASSIGN(const auto paths, resolve_paths(context.instance));
    const auto checks = all_checks(context, paths);
    bool healthy = true;
    QJsonArray out;
    for (const auto& check : checks) {
        healthy = healthy && check.verdict != Verdict::problem;
        out.append(QJsonObject{{"name", text(check.name)},
                               {"status", text(to_string(check.verdict))},
                               {"message", text(check.message)},
                               {"remedy", text(check.remedy)}});
    }
    if (context.json)
        print_json({{"healthy", healthy}, {"instance", text(paths.instance)}, {"checks", out}});
    else
        print_checks(checks);
    return healthy ? kDone : kProblemsFound;
}

}  // namespace

void add_health(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "health",
                                "Check an instance from outside, with or without its manager");
    command->callback([&context] { context.action = [&context] { return run_health(context); }; });
}

}  // namespace snakepit::shm::cli
