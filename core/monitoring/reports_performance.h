// SPDX-License-Identifier: MIT
#pragma once

#include <QJsonObject>

#include "monitoring/reports.h"

namespace snakepit::shm {

// The topic "performance":
//   operations: [{operation, recent, total}], each {count, p50, p90, p99, p999} in nanoseconds, of
//     the last ten seconds and since the registry was made;
//   users, sessions, workers: [{name, regions, bytes, references, allocations}], the biggest first,
//     as of `surveyed_at`; allocations since the manager started;
//   errors: {total, by_type, by_code}; fragmentation: {arenas, size, used, span, holes, ratio};
//   subjects: [{metric, subject, value, evidence}] (layout/metrics.h);
//   recommendations: [{topic, advice, evidence, bytes}];
//   metrics: how the recording of samples goes.
QJsonObject performance_report(const ReportSources& sources);
// The topic "stats": counters, and times as percentiles in microseconds.
QJsonObject stats_report(const ReportSources& sources);
// For the status report.
QJsonObject metrics_json(const ReportSources& sources);

}  // namespace snakepit::shm
