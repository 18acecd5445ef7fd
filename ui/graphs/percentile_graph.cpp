// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/percentile_graph.h"

#include <cmath>
#include <limits>

#include "ui/graphs/time_plot.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kSpan = 900;  // seconds: what the samples in the registry reach back to

double seconds(std::int64_t micros) {
    return static_cast<double>(micros) / 1e6;
}

// 1, 10, 100 of each unit.
class NanosTicker : public QCPAxisTickerLog {
  protected:
    QString getTickLabel(double tick, const QLocale&, QChar, int) override {
        return nanos_text(tick);
    }
};

}  // namespace

PercentileGraph::PercentileGraph(Workspace& workspace, QWidget* parent)
    : GraphPanel(parent), workspace_(workspace) {
    plot().set_logarithmic();
    plot().set_ticker(QSharedPointer<NanosTicker>::create());
    plot().set_format([](double value) { return std::isnan(value) ? u"–"_s : nanos_text(value); });
    for (const auto* name : {"p50", "p90", "p99", "p99.9"})
        plot().add_line(QString::fromLatin1(name), TimePlot::Shape::line);
    plot().setAccessibleName(tr("Percentiles over time"));
    rebuild_legend();
    choose_span(kSpan);
    while_visible(this, &workspace, &Workspace::ticked, [this] { take_new(); });
}

void PercentileGraph::watch(layout::Timed what) {
    if (what == what_) return;
    what_ = what;
    begin_again();
    if (isVisible()) take_new();
}

void PercentileGraph::showEvent(QShowEvent* event) {
    GraphPanel::showEvent(event);
    take_new();
}

void PercentileGraph::begin_again() {
    for (int line = 0; line < plot().lines(); ++line) plot().set_points(line, {}, {});
    last_ = 0;
}

void PercentileGraph::take_new() {
    const auto& samples = workspace_.samples();
    // A new registry numbers its samples from 1 again.
    if (!samples.empty() && samples.back().seq < last_) begin_again();
    auto first = samples.end();
    while (first != samples.begin() && std::prev(first)->seq > last_) --first;
    for (auto it = first; it != samples.end(); ++it) {
        const auto& timed = it->timed[static_cast<std::size_t>(what_)];
        int line = 0;
        for (const auto nanos : {timed.p50, timed.p90, timed.p99, timed.p999})
            plot().append(line++, seconds(it->time),
                          timed.count > 0 ? static_cast<double>(nanos)
                                          : std::numeric_limits<double>::quiet_NaN());
        last_ = it->seq;
    }
    plot().refresh(seconds(shown_now().micros));
}

}  // namespace snakepit::shm::ui
