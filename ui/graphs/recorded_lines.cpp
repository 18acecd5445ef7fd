// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/recorded_lines.h"

#include <algorithm>
#include <limits>

#include "ui/graphs/time_plot.h"

namespace snakepit::shm::ui {

RecordedLine line_of(const std::vector<MetricPoint>& points, double scale, double bucket,
                     double to) {
    RecordedLine line;
    double end = 0, pause = 0;
    const auto leave_gap = [&](double next) {
        if (end == 0 || next - end <= pause) return;
        line.times << end;
        line.values << std::numeric_limits<double>::quiet_NaN();
    };
    for (const auto& point : points) {
        const auto time = static_cast<double>(point.time.micros) / 1e6;
        const auto length = static_cast<double>(point.seconds);
        pause = std::max({TimePlot::kLongestPause, 2 * length, 2 * bucket});
        leave_gap(time);
        line.times << time;
        line.values << point.avg * scale;
        end = time + length;
    }
    leave_gap(to);
    return line;
}

std::vector<double> restarts_in(const std::vector<MetricPoint>& counter) {
    std::vector<double> out;
    for (std::size_t i = 1; i < counter.size(); ++i)
        if (counter[i].min < counter[i - 1].max)
            out.push_back(static_cast<double>(counter[i].time.micros) / 1e6);
    return out;
}

}  // namespace snakepit::shm::ui
