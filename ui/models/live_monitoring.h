// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>
#include <string>

#include "ui/models/live_sources.h"

namespace snakepit::shm::ui {

// Alerts and reports of one instance's manager, and rules tried on its recorded history.
class LiveMonitoring : public MonitoringPort {
  public:
    LiveMonitoring(std::shared_ptr<LiveManager> manager, InstancePaths paths)
        : manager_(std::move(manager)), paths_(std::move(paths)) {}
    Result<std::vector<Alert>> alerts() override;
    Result<AlertPage> history(std::uint64_t before, int limit) override;
    Result<std::vector<AlertRule>> rules() override { return ask_rules(asker()); }
    Result<std::vector<AlertSilence>> silences() override;
    Status acknowledge(std::uint64_t id, const std::string& comment) override;
    Status silence(const AlertSilence& silence) override;
    Status unsilence(std::uint64_t id) override;
    Status set_rule(const AlertRule& rule) override;
    Result<Backtest> backtest(const AlertRule& rule, std::int64_t span_ms) override;
    Result<PerformanceReport> performance() override;

  private:
    Result<std::string> ask(const std::string& action, const std::string& arguments = "{}");
    AlertAsk asker();
    Status look_back(const std::vector<Alert>& open);

    std::shared_ptr<LiveManager> manager_;
    InstancePaths paths_;
    std::set<std::uint64_t> open_;  // ids of the last answer
    std::vector<Alert> resolved_;   // the latest ones, as of when `open_` last changed
};

}  // namespace snakepit::shm::ui
