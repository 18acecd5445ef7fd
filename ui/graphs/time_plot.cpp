// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/time_plot.h"

#include <QDateTime>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/models/format.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr double kShortestSpan = 60, kManyHours = 4 * 3600;  // seconds
constexpr double kSteady = 0.05;                             // a change of less is none
constexpr int kTimeWidth = 120;  // pixels for one time below the axis, and room around it

}  // namespace

double ByteTicker::getTickStep(const QCPRange& range) {
    const double rough = std::max(1.0, range.size() / 5);
    return std::exp2(std::ceil(std::log2(rough)));
}

QString ByteTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
    return tick <= 0 ? u"0"_s : size_text(static_cast<std::uint64_t>(tick));
}

double CountTicker::getTickStep(const QCPRange& range) {
    const double rough = std::max(1.0, range.size() / 5);
    const double unit = std::pow(10, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0})
        if (unit * factor >= rough) return std::max(1.0, unit * factor);
    return unit * 10;
}

void TimeTicker::generate(const QCPRange& range, const QLocale& locale, QChar format, int precision,
                          QVector<double>& ticks, QVector<double>* sub_ticks,
                          QVector<QString>* labels) {
    const auto day = [](double time) {
        return QDateTime::fromMSecsSinceEpoch(static_cast<qint64>(time * 1000)).date();
    };
    const auto time = range.size() > kManyHours ? u"HH:mm"_s : u"HH:mm:ss"_s;
    const bool today =
        day(range.lower) == QDate::currentDate() && day(range.upper) == QDate::currentDate();
    setDateTimeFormat(today ? time : u"yyyy-MM-dd\n"_s + time);
    QCPAxisTickerDateTime::generate(range, locale, format, precision, ticks, sub_ticks, labels);
}

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
    });
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
    double first = now_ - kShortestSpan;
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

void TimePlot::mouseMoveEvent(QMouseEvent* event) {
    QCustomPlot::mouseMoveEvent(event);
    if (event->buttons() & Qt::LeftButton) leave_present();
    show_readout(event->pos());
}

void TimePlot::mousePressEvent(QMouseEvent* event) {
    setFocus(Qt::MouseFocusReason);
    QCustomPlot::mousePressEvent(event);
}

void TimePlot::mouseDoubleClickEvent(QMouseEvent* event) {
    event->accept();
    follow();
}

void TimePlot::wheelEvent(QWheelEvent* event) {
    leave_present();
    QCustomPlot::wheelEvent(event);
}

void TimePlot::resizeEvent(QResizeEvent* event) {
    xAxis->ticker()->setTickCount(std::clamp(width() / kTimeWidth, 2, 6));
    QCustomPlot::resizeEvent(event);
}

void TimePlot::leaveEvent(QEvent* event) {
    hide_readout();
    QCustomPlot::leaveEvent(event);
}

void TimePlot::paintEvent(QPaintEvent* event) {
    QCustomPlot::paintEvent(event);
    if (!hasFocus()) return;
    QPainter painter(this);
    painter.setPen(colours().accent);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
}

void TimePlot::focusInEvent(QFocusEvent* event) {
    QCustomPlot::focusInEvent(event);
    update();
}

void TimePlot::focusOutEvent(QFocusEvent* event) {
    QCustomPlot::focusOutEvent(event);
    update();
}

void TimePlot::keyPressEvent(QKeyEvent* event) {
    const double step = xAxis->range().size() / 8;
    switch (event->key()) {
        case Qt::Key_Left:
            leave_present();
            xAxis->moveRange(-step);
            break;
        case Qt::Key_Right:
            leave_present();
            xAxis->moveRange(step);
            break;
        case Qt::Key_Plus:
            leave_present();
            xAxis->scaleRange(0.8);
            break;
        case Qt::Key_Minus:
            leave_present();
            xAxis->scaleRange(1.25);
            break;
        case Qt::Key_Home:
        case Qt::Key_End:
            follow();
            break;
        default:
            QCustomPlot::keyPressEvent(event);
            return;
    }
    replot(QCustomPlot::rpQueuedReplot);
}

}  // namespace snakepit::shm::ui
