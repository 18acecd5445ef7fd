// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/report_charts.h"

#include <QDateTime>
#include <QTimeZone>
#include <algorithm>
#include <cmath>

#include "ui/models/event_text.h"
#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

constexpr double kAxisWidth = 54;  // for the numbers at the left
constexpr double kAxisHeight = 16;
constexpr double kLegendHeight = 14;
constexpr int kTimeLabels = 5;
constexpr int kMostSteps = 4;

// 1, 2 or 5 times a power of ten; of bytes, a power of two.
double step_for(double top, bool bytes) {
    const auto rough = std::max(top, 1.0) / kMostSteps;
    if (bytes) return std::exp2(std::ceil(std::log2(std::max(rough, 1.0))));
    const auto power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0, 10.0})
        if (factor * power >= rough) return std::max(1.0, factor * power);
    return std::max(1.0, 10 * power);
}

QString time_label(const ReportGraphs& graphs, double part) {
    const auto span = graphs.to.micros - graphs.from.micros;
    const auto at =
        graphs.from.micros + static_cast<std::int64_t>(static_cast<double>(span) * part);
    const auto time = QDateTime::fromMSecsSinceEpoch(at / 1000, QTimeZone::utc());
    constexpr std::int64_t kMinute = 60'000'000;
    return time.toString(span < 5 * kMinute           ? u"HH:mm:ss"_s
                         : span < 36 * 60 * kMinute   ? u"HH:mm"_s
                         : span < 21 * 1440 * kMinute ? u"MM-dd HH:mm"_s
                                                      : u"yyyy-MM-dd"_s);
}

// The lines and numbers of both axes; where values are drawn is left.
class Axes {
  public:
    Axes(Paper& paper, const QRectF& box, const ReportGraphs& graphs, double highest, bool bytes)
        : plot_(box.adjusted(kAxisWidth, 4, 0, -kAxisHeight)) {
        const auto step = step_for(highest, bytes);
        top_ = std::max(std::ceil(highest / step), 1.0) * step;
        const auto style = paper.muted(7.5);
        for (double value = 0; value <= top_ * 1.001; value += step) {
            const auto level = y(value);
            paper.line({plot_.left(), level}, {plot_.right(), level}, paper.colours().border,
                       value == 0 ? 0.8 : 0.4);
            const auto label = bytes ? size_text(static_cast<std::uint64_t>(value))
                                     : count_text(static_cast<std::uint64_t>(value));
            paper.text({box.left(), level - 7, kAxisWidth - 8, 14},
                       Qt::AlignRight | Qt::AlignVCenter, label, style);
        }
        for (int i = 0; i < kTimeLabels; ++i) {
            const auto part = static_cast<double>(i) / (kTimeLabels - 1);
            const auto align = i == 0                 ? Qt::AlignLeft
                               : i == kTimeLabels - 1 ? Qt::AlignRight
                                                      : Qt::AlignHCenter;
            const double shift = i == 0 ? 0 : i == kTimeLabels - 1 ? -100 : -50;
            paper.text({plot_.left() + part * plot_.width() + shift, plot_.bottom() + 3, 100, 12},
                       align | Qt::AlignTop, time_label(graphs, part), style);
        }
    }
    const QRectF& plot() const { return plot_; }
    double y(double value) const { return plot_.bottom() - plot_.height() * value / top_; }
    double x(std::size_t part) const {
        return plot_.left() +
               plot_.width() * static_cast<double>(part) / static_cast<double>(kGraphPoints);
    }

  private:
    QRectF plot_;
    double top_ = 1;
};

QString kind_title(const std::string& name) {
    const auto kind = parse_event_kind(name);
    return kind ? event_title(*kind) : to_qstring(name);
}

void draw_legend(Paper& paper, const QRectF& box, const ReportGraphs& graphs) {
    const auto style = paper.muted(8);
    double x = box.left() + kAxisWidth, y = box.top();
    for (std::size_t i = 0; i < graphs.events.size(); ++i) {
        const auto title = kind_title(graphs.events[i].first);
        const auto width = 22 + paper.width(title, style);
        if (x + width > box.right()) {
            x = box.left() + kAxisWidth;
            y += kLegendHeight;
        }
        paper.fill({x, y + 3, 7, 7}, paper.colours().series[i % 8], 1.5);
        paper.text({x + 11, y, width, 13}, Qt::AlignLeft | Qt::AlignVCenter, title, style);
        x += width;
    }
}

}  // namespace

void draw_events(Paper& paper, const QRectF& box, const ReportGraphs& graphs) {
    std::vector<double> sums(kGraphPoints, 0);
    for (const auto& [kind, parts] : graphs.events)
        for (std::size_t i = 0; i < std::min(parts.size(), sums.size()); ++i)
            sums[i] += static_cast<double>(parts[i]);
    const auto chart = box.adjusted(0, 0, 0, -2 * kLegendHeight - 4);
    const Axes axes(paper, chart, graphs, *std::max_element(sums.begin(), sums.end()), false);
    std::vector<double> below(kGraphPoints, 0);
    for (std::size_t k = 0; k < graphs.events.size(); ++k) {
        const auto& parts = graphs.events[k].second;
        for (std::size_t i = 0; i < std::min(parts.size(), below.size()); ++i) {
            if (parts[i] == 0) continue;
            const auto from = below[i];
            below[i] += static_cast<double>(parts[i]);
            const auto width = axes.x(1) - axes.x(0);
            paper.fill({axes.x(i) + width * 0.08, axes.y(below[i]), width * 0.84,
                        axes.y(from) - axes.y(below[i])},
                       paper.colours().series[k % 8]);
        }
    }
    draw_legend(paper, {box.left(), chart.bottom() + 4, box.width(), 2 * kLegendHeight}, graphs);
}

void draw_steps(Paper& paper, const QRectF& box, const ReportGraphs& graphs, const Steps& steps) {
    const auto& values = *steps.values;
    const auto highest = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
    const Axes axes(paper, box, graphs, static_cast<double>(highest), steps.bytes);
    QPolygonF curve;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const auto level = axes.y(static_cast<double>(values[i]));
        curve << QPointF(axes.x(i), level) << QPointF(axes.x(i + 1), level);
    }
    if (curve.isEmpty()) return;
    auto area = curve;
    area << QPointF(curve.last().x(), axes.plot().bottom())
         << QPointF(curve.first().x(), axes.plot().bottom());
    auto shade = steps.colour;
    shade.setAlphaF(0.14);
    paper.area(area, shade);
    paper.curve(curve, steps.colour, 1.2);
}

}  // namespace snakepit::shm::ui
