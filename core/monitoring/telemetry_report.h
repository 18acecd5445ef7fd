// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <QJsonObject>

#include "base/result.h"
#include "monitoring/telemetry_manager.h"

namespace snakepit::shm {

// Of the status report: where metrics and events go, and what keeps them from it.
QJsonObject telemetry_json(const TelemetryManager& telemetry);

// The report "metrics": what of the metrics is not in the registry file. A reader puts both
// together, as the manager does itself.
QJsonObject metrics_json(const TelemetryManager& telemetry);
struct MetricsReport {
    std::string version, instance, backend;
    std::vector<std::string> labels;
    ManagerStats figures;
};
Result<MetricsReport> parse_metrics_report(std::string_view json);

}  // namespace snakepit::shm
