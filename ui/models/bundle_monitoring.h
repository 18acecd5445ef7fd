// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "alerts/alert_api.h"
#include "diagnostics/bundle_reader.h"
#include "ui/models/bundle_refusal.h"
#include "ui/models/sources.h"

namespace snakepit::shm::ui {

// Alerts, rules and reports as the bundle has them; what it lacks is not_supported, and says why.
// Rules are tried on the bundle's own history, up to its moment.
class BundleMonitoring : public MonitoringPort {
  public:
    BundleMonitoring(const BundleLabel& label, BundleReader& bundle);
    Result<std::vector<Alert>> alerts() override { return alerts_; }
    Result<AlertPage> history(std::uint64_t before, int limit) override;
    Result<std::vector<AlertRule>> rules() override { return rules_; }
    Result<std::vector<AlertSilence>> silences() override { return silences_; }
    Status acknowledge(std::uint64_t, const std::string&) override { return refusal_.refuse(); }
    Status silence(const AlertSilence&) override { return refusal_.refuse(); }
    Status unsilence(std::uint64_t) override { return refusal_.refuse(); }
    Status set_rule(const AlertRule&) override { return refusal_.refuse(); }
    Result<Backtest> backtest(const AlertRule& rule, std::int64_t span_ms) override;
    Result<PerformanceReport> performance() override { return performance_; }

  private:
    BundleRefusal refusal_;
    Timestamp at_;
    std::string metrics_, events_;  // databases; empty: the bundle has none
    // All constant.
    Result<std::vector<Alert>> alerts_, history_;  // history: newest first
    Result<std::vector<AlertRule>> rules_;
    Result<std::vector<AlertSilence>> silences_;
    Result<PerformanceReport> performance_;
};

}  // namespace snakepit::shm::ui
