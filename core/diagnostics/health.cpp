// SPDX-License-Identifier: MIT
#include "diagnostics/health.h"

#include <algorithm>
#include <memory>

#include <QJsonArray>
#include <QJsonDocument>

#include "client/manager_client.h"
#include "config/config.h"
#include "diagnostics/database_checks.h"
#include "diagnostics/environment_checks.h"
#include "diagnostics/lease_checks.h"
#include "diagnostics/registry_checks.h"
#include "json/json_values.h"

namespace snakepit::shm {

namespace {

constexpr int kLeasePatienceMs = 1500;

// The reports of the manager, if one runs and responds.
class ManagerReports {
  public:
    ManagerReports(const InstancePaths& paths, std::vector<Check>& checks) : checks_(checks) {
        ConnectOptions options;
        options.instance = paths.instance;
        options.lease = false;
        auto client = ManagerClient::connect(options);
        if (!client && client.error().type() == ErrorType::no_manager &&
            !is_unresponsive(client.error())) {
            checks_.push_back({"manager", CheckResult::not_running,
                               "no manager runs for this instance, which is not a fault",
                               "start one with: snakepit-shm serve"});
            return;
        }
        runs_ = true;
        if (!client)
            checks_.push_back(problem("manager", client.error()));
        else
            client_ = std::move(*client);
    }
    bool runs() const { return runs_; }
    QJsonObject report(const char* topic) const {
        if (!client_) return {};
        const auto answer = client_->report(topic);
        if (!answer) {
            checks_.push_back(problem("manager", answer.error()));
            return {};
        }
        return QJsonDocument::fromJson(QByteArray::fromStdString(*answer)).object();
    }
    void problems() const {
        const auto report_json = report("health");
        if (report_json.isEmpty()) return;
        checks_.push_back(sound("manager", "running and responding"));
        for (const auto& value : report_json.value("problems").toArray()) {
            const auto found = value.toObject();
            checks_.push_back({"manager", CheckResult::problem,
                               found.value("problem").toString().toStdString(),
                               found.value("remedy").toString().toStdString()});
        }
    }

  private:
    std::vector<Check>& checks_;
    std::unique_ptr<ManagerClient> client_;
    bool runs_ = false;
};

void ask_for_arenas(const ManagerReports& manager, RegistryQuestion& question) {
    const auto report = manager.report("arenas");
    const auto arenas = report.value("arenas").toArray();
    for (const auto& arena : arenas)
        question.arenas.push_back(arena.toObject().value("name").toString().toStdString());
    question.arenas_complete =
        !report.isEmpty() &&
        arenas.size() == report.value("total").toObject().value("arenas").toInt();
}

void check_registry_parts(RegistryQuestion question, std::vector<Check>& checks) {
    checks.push_back(check_registry(question));
    if (checks.back().result == CheckResult::problem &&
        checks.back().message.find("regions are damaged") == std::string::npos &&
        !question.manager_runs)
        return;
    checks.push_back(check_region_checksums(question));
    checks.push_back(check_region_segments(question));
    checks.push_back(check_stale_segments(question));
}

}  // namespace

bool Health::healthy() const {
    return std::none_of(checks.begin(), checks.end(),
                        [](const Check& check) { return check.result == CheckResult::problem; });
}

std::vector<Check> Health::by_severity() const {
    auto out = checks;
    std::stable_sort(out.begin(), out.end(),
                     [](const Check& a, const Check& b) { return a.result > b.result; });
    return out;
}

QJsonObject Health::json() const {
    QJsonArray out;
    for (const auto& check : checks)
        out.append(QJsonObject{{"name", text(check.name)},
                               {"status", text(to_string(check.result))},
                               {"message", text(check.message)},
                               {"remedy", text(check.remedy)}});
    return {{"healthy", healthy()}, {"instance", text(instance)}, {"checks", out}};
}

Health check_health(const InstancePaths& paths) {
    Health health{paths.instance, {}};
    auto& checks = health.checks;
    const ManagerReports manager(paths, checks);
    manager.problems();
    const auto loaded = Config::load(paths.config_file);
    checks.push_back(loaded ? sound("configuration", paths.config_file.empty() ? "built-in defaults"
                                                                               : paths.config_file)
                            : problem("configuration", loaded.error()));
    const auto config = loaded.value_or(Config{});
    RegistryQuestion question{paths, config.shm_path, manager.runs(), {}, true};
    if (manager.runs()) {
        // A value that needs a restart is the one the manager runs with, not the one in the file.
        if (const auto used = manager.report("status").value("shm_path").toString();
            !used.isEmpty())
            question.shm_path = used.toStdString();
        ask_for_arenas(manager, question);
    }
    checks.push_back(check_configured_limits(config, question.shm_path));
    checks.push_back(check_directory("runtime_directory", paths.runtime_dir));
    checks.push_back(check_directory("state_directory", paths.state_dir));
    checks.push_back(check_runtime_in_memory(paths));
    checks.push_back(check_shared_memory_space(config, question.shm_path));
    checks.push_back(check_state_space(paths));
    check_registry_parts(question, checks);
    for (auto& check : check_leases(paths, manager.runs(), kLeasePatienceMs))
        checks.push_back(std::move(check));
    for (auto& check : check_databases(paths)) checks.push_back(std::move(check));
    checks.push_back(check_key(paths));
    checks.push_back(check_logout(question.shm_path));
    for (auto& check : check_limits(config)) checks.push_back(std::move(check));
    return health;
}

}  // namespace snakepit::shm
