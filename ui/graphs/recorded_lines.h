// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QVector>
#include <vector>

#include "telemetry/metrics_reader.h"

namespace snakepit::shm::ui {

struct RecordedLine {
    QVector<double> times, values;  // seconds since 1970; NaN leaves a gap
};

// What was asked for up to `to`. `bucket`: seconds that a point may stand for, where several were
// made one. Time in which nothing was recorded is a gap, also between the last point and `to`.
RecordedLine line_of(const std::vector<MetricPoint>& points, double scale, double bucket,
                     double to);

// Where a counter that only grows while a manager lives began again: a manager was started.
std::vector<double> restarts_in(const std::vector<MetricPoint>& counter);

}  // namespace snakepit::shm::ui
