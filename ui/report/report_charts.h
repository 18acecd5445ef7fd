// SPDX-License-Identifier: GPL-3.0-or-later
// The graphs of a report's period, on paper.
#pragma once

#include <functional>
#include <vector>

#include "audit/summary.h"
#include "ui/report/paper.h"

namespace snakepit::shm::ui {

// Events in each part of the period, their kinds on top of each other, with a legend below.
void draw_events(Paper& paper, const QRectF& box, const ReportGraphs& graphs);

// One value over the period, with its title above.
struct Steps {
    const std::vector<std::uint64_t>* values;
    QColor colour;
    bool bytes = false;
};
void draw_steps(Paper& paper, const QRectF& box, const ReportGraphs& graphs, const Steps& steps);

}  // namespace snakepit::shm::ui
