// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/memory_graph.h"

#include "ui/graphs/time_plot.h"
#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

enum Line { kUsed, kReserved, kFree };

}  // namespace

MemoryGraph::MemoryGraph(Workspace& workspace, QWidget* parent) : SampleGraph(workspace, parent) {
    plot().set_ticker(QSharedPointer<ByteTicker>::create());
    plot().set_format([](double value) { return size_text(static_cast<std::uint64_t>(value)); });
    plot().add_line(tr("Used"), TimePlot::Shape::line);
    plot().add_line(tr("Reserved"), TimePlot::Shape::line);
    plot().add_line(tr("Free in /dev/shm (right)"), TimePlot::Shape::line, TimePlot::Side::right);
    plot().setAccessibleName(tr("Memory over time"));
    rebuild_legend();
}

std::vector<std::string> MemoryGraph::metrics() const {
    return {"used_bytes", "reserved_bytes", "host_shm_free_bytes"};
}

void MemoryGraph::draw(const layout::Sample& sample) {
    const auto time = seconds(sample.time);
    plot().append(kUsed, time, static_cast<double>(sample.bytes_used));
    plot().append(kReserved, time, static_cast<double>(sample.bytes_reserved));
    plot().append(kFree, time, static_cast<double>(sample.shm_free));
}

}  // namespace snakepit::shm::ui
