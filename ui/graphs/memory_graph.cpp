// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/memory_graph.h"

#include "ui/graphs/time_plot.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

enum Line { kUsed, kReserved, kFree };

double seconds(std::int64_t micros) {
    return static_cast<double>(micros) / 1e6;
}

}  // namespace

MemoryGraph::MemoryGraph(Workspace& workspace, QWidget* parent)
    : GraphPanel(parent), workspace_(workspace) {
    plot().set_ticker(QSharedPointer<ByteTicker>::create());
    plot().set_format([](double value) { return size_text(static_cast<std::uint64_t>(value)); });
    plot().add_line(tr("Used"), TimePlot::Shape::line);
    plot().add_line(tr("Reserved"), TimePlot::Shape::line);
    plot().add_line(tr("Free in /dev/shm (right axis)"), TimePlot::Shape::line,
                    TimePlot::Side::right);
    plot().setAccessibleName(tr("Memory over time"));
    rebuild_legend();
    while_visible(this, &workspace, &Workspace::ticked, [this] { take_new(); });
}

void MemoryGraph::showEvent(QShowEvent* event) {
    GraphPanel::showEvent(event);
    take_new();
}

void MemoryGraph::take_new() {
    const auto& samples = workspace_.samples();
    // A new registry numbers its samples from 1 again.
    if (!samples.empty() && samples.back().seq < last_) {
        for (int line = 0; line < plot().lines(); ++line) plot().set_points(line, {}, {});
        last_ = 0;
    }
    auto first = samples.end();
    while (first != samples.begin() && std::prev(first)->seq > last_) --first;
    for (auto it = first; it != samples.end(); ++it) {
        plot().append(kUsed, seconds(it->time), static_cast<double>(it->bytes_used));
        plot().append(kReserved, seconds(it->time), static_cast<double>(it->bytes_reserved));
        plot().append(kFree, seconds(it->time), static_cast<double>(it->shm_free));
        last_ = it->seq;
    }
    plot().refresh(seconds(shown_now().micros));
}

}  // namespace snakepit::shm::ui
