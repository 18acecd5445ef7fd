// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/time_plot.h"

#include <QDateTime>
#include <algorithm>
#include <cmath>

#include "ui/models/format.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr double kShortestSpan = 60;  // seconds
constexpr double kSteady = 0.05;      // a change of less is none

}  // namespace

TimePlot::TimePlot(QWidget* parent)
    : QCustomPlot(parent),
      format_([](double value) { return QString::number(value); }),
      cursor_(new QCPItemLine(this)),
      readout_(new QLabel(this)) {
    setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
    axisRect()->setRangeDrag(Qt::Horizontal);
    axisRect()->setRangeZoom(Qt::Horizontal);
    setNoAntialiasingOnDrag(true);
    setPlottingHint(QCP::phFastPolylines);
    setFocusPolicy(Qt::StrongFocus);
    setMinimumHeight(140);
    xAxis->setTicker(QSharedPointer<TimeTicker>::create());
    xAxis->setTickLength(0);
    xAxis->setTickLabelPadding(9);                            // below the values' "0"
    axisRect()->setMinimumMargins(QMargins(15, 15, 30, 15));  // the last time is not cut
    xAxis->setSubTicks(false);
    for (auto* axis : {yAxis, yAxis2}) {
        axis->setTickLength(0);
        axis->setSubTicks(false);
        axis->setNumberFormat(u"gb"_s);
    }
    yAxis2->setVisible(false);
    cursor_->setVisible(false);
    cursor_->setLayer(u"overlay"_s);
    readout_->setObjectName(u"readout"_s);
    readout_->setAttribute(Qt::WA_TransparentForMouseEvents);
    readout_->setTextFormat(Qt::RichText);
    readout_->hide();
    connect(xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this, [this] {
        limit_range();
        fit_values();
        Q_EMIT range_changed();
    });
    click_.setSingleShot(true);
    connect(&click_, &QTimer::timeout, this, [this] { Q_EMIT moment_clicked(clicked_); });
    connect(&Theme::instance(), &Theme::changed, this, &TimePlot::wear_theme);
    wear_theme();
}

int TimePlot::add_line(const QString& name, Shape shape, Side side) {
    auto* axis = side == Side::right ? yAxis2 : yAxis;
    auto* graph = addGraph(xAxis, axis);
    graph->setName(name);
    graph->setLineStyle(shape == Shape::step ? QCPGraph::lsStepLeft : QCPGraph::lsLine);
    graph->setAntialiased(shape == Shape::line);
    if (side == Side::right) {
        yAxis2->setVisible(true);
        yAxis2->setTickLabels(true);
    }
    wear_theme();
    return graphCount() - 1;
}

QColor TimePlot::line_colour(int line) const {
    const auto& series = colours().series;
    return series[static_cast<std::size_t>(line) % series.size()];
}

void TimePlot::set_ticker(const QSharedPointer<QCPAxisTicker>& ticker) {
    yAxis->setTicker(ticker);
    yAxis2->setTicker(ticker);
}

void TimePlot::wear_theme() {
    const auto& p = colours();
    setBackground(p.surface);
    for (auto* axis : {xAxis, yAxis, yAxis2}) {
        axis->setBasePen(axis == xAxis ? QPen(p.border, 1) : QPen(Qt::NoPen));
        axis->setTickPen(Qt::NoPen);
        axis->setTickLabelColor(p.muted);
        axis->setLabelColor(p.muted);
        axis->grid()->setPen(QPen(p.grid, 1));
        axis->grid()->setZeroLinePen(QPen(p.grid, 1));
    }
    xAxis->grid()->setVisible(false);
    yAxis2->grid()->setVisible(false);
    for (int i = 0; i < graphCount(); ++i) {
        QPen pen(line_colour(i), 1);
        if (graph(i)->valueAxis() == yAxis2) pen.setStyle(Qt::DashLine);
        graph(i)->setPen(pen);
    }
    cursor_->setPen(QPen(p.faint, 1, Qt::DotLine));
    readout_->setStyleSheet(
        u"QLabel#readout { background: %1; border: 1px solid %2;"
        u" border-radius: 6px; padding: 6px 9px; }"_s.arg(p.surface.name(), p.border.name()));
    replot(QCustomPlot::rpQueuedReplot);
}

void TimePlot::set_span(double seconds) {
    span_ = seconds;
    follow();
}

void TimePlot::follow() {
    const bool changed = !following_;
    following_ = true;
    refresh(now_);
    if (changed) Q_EMIT following_changed(true);
}

void TimePlot::show_range(const QCPRange& range) {
    leave_present();
    xAxis->setRange(range);
    replot(QCustomPlot::rpQueuedReplot);
}

void TimePlot::show_around(double time) {
    if (xAxis->range().contains(time)) return;
    const double size = following_ ? span_ : xAxis->range().size();
    show_range({time - 0.8 * size, time + 0.2 * size});
}

void TimePlot::set_moment(std::optional<double> time) {
    moment_ = time;
    update();
}

void TimePlot::set_chosen(std::optional<QCPRange> range) {
    chosen_ = range;
    update();
}

void TimePlot::set_marks(std::vector<Mark> marks) {
    marks_ = std::move(marks);
    update();
}

void TimePlot::leave_present() {
    if (!following_) return;
    following_ = false;
    Q_EMIT following_changed(false);
}

void TimePlot::refresh(double now) {
    now_ = now;
    if (following_) {
        // While there is less to see than the span holds, it is seen whole.
        xAxis->setRange(std::max(now_ - span_, first_time()), now_);
    }
    fit_values();
    describe();
    replot(QCustomPlot::rpQueuedReplot);
}

double TimePlot::first_time() const {
    double first = std::min(now_ - kShortestSpan, earliest_.value_or(now_));
    for (int i = 0; i < graphCount(); ++i)
        if (!graph(i)->data()->isEmpty())
            first = std::min(first, graph(i)->data()->constBegin()->key);
    return first;
}

// Between a few seconds and all there is.
void TimePlot::limit_range() {
    if (now_ == 0) return;
    const auto range = xAxis->range();
    const double first = first_time();
    const double size = std::clamp(range.size(), kShortestView, now_ - first);
    const double lower = std::max(first, std::min(range.center() - size / 2, now_ - size));
    if (size == range.size() && lower == range.lower) return;
    const QSignalBlocker quiet(xAxis);
    xAxis->setRange(lower, lower + size);
}

// "Used: 12 MiB; between 8 MiB and 14 MiB, rising"
QString TimePlot::sentence(int line) const {
    const auto points = graph(line)->data();
    double low = 0, high = 0, first = 0, last = 0;
    bool any = false, gap = false;
    const auto end = points->findEnd(xAxis->range().upper, false);
    for (auto point = points->findBegin(xAxis->range().lower, false); point != end; ++point) {
        gap |= std::isnan(point->value);
        if (std::isnan(point->value)) continue;
        first = any ? first : point->value;
        last = point->value;
        low = any ? std::min(low, last) : last;
        high = std::max(high, last);
        any = true;
    }
    if (!any) return tr("%1: not known").arg(graph(line)->name());
    const auto way = std::abs(last - first) <= kSteady * high ? tr("steady")
                     : last > first                           ? tr("rising")
                                                              : tr("falling");
    return tr("%1: %2; between %3 and %4, %5%6")
        .arg(graph(line)->name(), format_(last), format_(low), format_(high), way,
             gap ? tr(", with a gap") : QString());
}

// For who cannot see it; once a second is enough.
void TimePlot::describe() {
    if (now_ - described_ < 1 && now_ >= described_) return;
    described_ = now_;
    QStringList sentences;
    for (int i = 0; i < graphCount(); ++i)
        if (graph(i)->realVisibility()) sentences << sentence(i);
    setAccessibleDescription(sentences.join(u". "_s));
}

// Of the lines that are shown, above 0; from 0 to 0 when there are none.
QCPRange TimePlot::seen_values(QCPAxis* axis) const {
    double low = 0, high = 0;
    for (int i = 0; i < graphCount(); ++i) {
        if (graph(i)->valueAxis() != axis || !graph(i)->realVisibility()) continue;
        // One point beyond each edge counts too: a step or a line reaches in from there.
        const auto points = graph(i)->data();
        const auto end = points->findEnd(xAxis->range().upper, true);
        for (auto point = points->findBegin(xAxis->range().lower, true); point != end; ++point) {
            if (!(point->value > 0)) continue;
            low = low > 0 ? std::min(low, point->value) : point->value;
            high = std::max(high, point->value);
        }
    }
    return {low, high};
}

void TimePlot::fit_axis(QCPAxis* axis) {
    const auto seen = seen_values(axis);
    if (axis->scaleType() == QCPAxis::stLinear)
        axis->setRange(0, seen.upper > 0 ? seen.upper * 1.12 : 1);
    else if (seen.upper > 0)  // whole decades: lines do not jump with every value
        axis->setRange(std::pow(10, std::floor(std::log10(seen.lower))),
                       std::pow(10, std::ceil(std::log10(seen.upper * 1.01))));
}

void TimePlot::set_logarithmic() {
    for (auto* axis : {yAxis, yAxis2}) {
        axis->setScaleType(QCPAxis::stLogarithmic);
        axis->setRange(1, 10);
    }
}

void TimePlot::fit_values() {
    fit_axis(yAxis);
    fit_axis(yAxis2);
}

std::optional<double> TimePlot::value_at(int line, double time) const {
    const auto points = graph(line)->data();
    const auto after = points->findEnd(time, false);
    if (after == points->constBegin()) return std::nullopt;
    const auto point = after - 1;  // the last at or before it
    const bool over = after == points->constEnd() && time - point->key > kLongestPause;
    if (over || std::isnan(point->value)) return std::nullopt;
    return point->value;
}

QString TimePlot::readout_html(double time) const {
    QString rows;
    for (int i = 0; i < graphCount(); ++i) {
        const auto value = graph(i)->realVisibility() ? value_at(i, time) : std::nullopt;
        if (!value) continue;
        rows +=
            u"<tr><td><span style='color:%1'>●</span>&nbsp;%2&nbsp;&nbsp;</td>"
            u"<td align='right'><b>%3</b></td></tr>"_s.arg(
                line_colour(i).name(), html_text(graph(i)->name()), format_(*value));
    }
    rows += marks_html(time);
    if (rows.isEmpty()) return {};
    return u"<span style='color:%1'>%2</span><table cellspacing='0'>%3</table>"_s.arg(
        colours().muted.name(),
        clock_text({static_cast<std::int64_t>(time * 1e6)}).section(u'.', 0, 0), rows);
}

void TimePlot::show_readout(const QPoint& at) {
    const double time = xAxis->pixelToCoord(at.x());
    const auto html = axisRect()->rect().contains(at) ? readout_html(time) : QString();
    if (html.isEmpty()) {
        hide_readout();
        return;
    }
    cursor_->start->setCoords(time, yAxis->range().lower);
    cursor_->end->setCoords(time, yAxis->range().upper);
    cursor_->setVisible(true);
    readout_->setText(html);
    readout_->adjustSize();
    const bool right_half = at.x() > width() / 2;
    readout_->move(right_half ? at.x() - readout_->width() - 12 : at.x() + 12,
                   std::clamp(at.y() - readout_->height() / 2, 2,
                              std::max(2, height() - readout_->height() - 2)));
    readout_->show();
    layer(u"overlay"_s)->replot();
}

void TimePlot::hide_readout() {
    if (!cursor_->visible()) return;
    cursor_->setVisible(false);
    readout_->hide();
    replot(QCustomPlot::rpQueuedReplot);
}

}  // namespace snakepit::shm::ui
