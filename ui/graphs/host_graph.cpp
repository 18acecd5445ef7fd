// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/host_graph.h"

#include <limits>

#include "ui/graphs/time_plot.h"
#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

// Rows that are missing between two points, which leave a gap.
constexpr std::int64_t kMissing = 3;

}  // namespace

HostGraph::HostGraph(QWidget* parent) : GraphPanel(parent) {
    plot().set_ticker(QSharedPointer<ByteTicker>::create());
    plot().set_format([](double value) { return size_text(static_cast<std::uint64_t>(value)); });
    plot().setAccessibleName(tr("Shared memory of the host over time"));
    choose_span(kLongest);
}

void HostGraph::show_series(const std::vector<HostSeries>& series, double now) {
    plot().remove_lines();
    for (const auto& one : series) {
        const int line = plot().add_line(one.name == kOtherNames ? tr("others")
                                         : one.name == kNotTold  ? tr("not told")
                                                                 : QString::fromStdString(one.name),
                                         TimePlot::Shape::step);
        QVector<double> times, values;
        std::int64_t end = 0;
        for (const auto& point : one.points) {
            if (end != 0 && point.time.micros - end > kMissing * point.seconds * 1'000'000) {
                times.push_back(seconds(end));
                values.push_back(std::numeric_limits<double>::quiet_NaN());
            }
            times.push_back(seconds(point.time.micros));
            values.push_back(point.bytes);
            end = point.time.micros + point.seconds * 1'000'000;
        }
        plot().set_points(line, times, values);
    }
    rebuild_legend();
    plot().refresh(now);
}

}  // namespace snakepit::shm::ui
