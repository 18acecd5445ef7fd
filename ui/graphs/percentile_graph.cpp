// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/percentile_graph.h"

#include <limits>

#include "ui/graphs/time_plot.h"
#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kSpan = 900;  // seconds: what the samples in the registry reach back to

// 1, 10, 100 of each unit.
class NanosTicker : public QCPAxisTickerLog {
  protected:
    QString getTickLabel(double tick, const QLocale&, QChar, int) override {
        return nanos_text(tick);
    }
};

}  // namespace

PercentileGraph::PercentileGraph(Workspace& workspace, QWidget* parent)
    : SampleGraph(workspace, parent) {
    plot().set_logarithmic();
    plot().set_ticker(QSharedPointer<NanosTicker>::create());
    plot().set_format([](double value) { return nanos_text(value); });
    for (const auto* name : {"p50", "p90", "p99", "p99.9"})
        plot().add_line(QString::fromLatin1(name), TimePlot::Shape::line);
    plot().setAccessibleName(tr("Percentiles over time"));
    rebuild_legend();
    choose_span(kSpan);
}

void PercentileGraph::watch(layout::Timed what) {
    if (what == what_) return;
    what_ = what;
    begin_again();
    if (isVisible()) draw_new();
}

std::vector<std::string> PercentileGraph::metrics() const {
    const std::string operation(layout::kTimedNames[static_cast<std::size_t>(what_)]);
    return {operation + "_seconds_p50", operation + "_seconds_p90", operation + "_seconds_p99",
            operation + "_seconds_p999"};
}

void PercentileGraph::draw(const layout::Sample& sample) {
    const auto& timed = sample.timed[static_cast<std::size_t>(what_)];
    int line = 0;
    for (const auto nanos : {timed.p50, timed.p90, timed.p99, timed.p999})
        plot().append(line++, seconds(sample.time),
                      timed.count > 0 ? static_cast<double>(nanos)
                                      : std::numeric_limits<double>::quiet_NaN());
}

}  // namespace snakepit::shm::ui
