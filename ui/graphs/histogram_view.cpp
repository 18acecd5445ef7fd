// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/histogram_view.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "ui/models/format.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr double kLeft = 48, kRight = 18, kTop = 26, kBottom = 28;

// The fewer there are the wider the bars: three a bar say more than one here and there.
std::uint32_t buckets_in_bar(std::uint64_t count) {
    const std::uint32_t bars = count < 50 ? 1 : count < 400 ? 2 : 4;  // to a doubling
    return layout::kOctaveBuckets / bars;
}

// Shares of 0, 5, 10, 20, 25 or 50 percent: three or four lines in any case.
double share_step(double highest) {
    for (const double step : {0.01, 0.02, 0.05, 0.1, 0.2, 0.25})
        if (highest / step <= 4) return step;
    return 0.5;
}

QString share_text(double share) {
    const double percent = share * 100;
    if (percent > 0 && percent < 0.1) return QObject::tr("below 0.1 %");
    return QObject::tr("%1 %").arg(percent, 0, 'f', percent < 10 ? 1 : 0);
}

}  // namespace

HistogramView::HistogramView(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    setMouseTracking(true);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void HistogramView::show_histogram(const layout::Histogram& histogram) {
    histogram_ = histogram;
    bars_.clear();
    const auto width = buckets_in_bar(histogram.count);
    for (std::uint32_t first = 0; first < layout::kHistogramBuckets; first += width) {
        Bar bar{layout::bucket_floor(first), layout::bucket_floor(first + width), 0};
        for (auto i = first; i < first + width; ++i) bar.count += histogram.buckets[i];
        if (bar.count > 0) bars_.push_back(bar);
    }
    highest_ = 0;
    for (const auto& bar : bars_) highest_ = std::max(highest_, bar.count);
    set_range();
    setAccessibleDescription(
        bars_.empty() ? tr("empty")
                      : tr("%1 timed; 50 % within %2, 99 % within %3")
                            .arg(count_text(histogram.count),
                                 nanos_text(static_cast<double>(histogram.percentile(0.5))),
                                 nanos_text(static_cast<double>(histogram.percentile(0.99)))));
    update();
}

// From what there is, half a decade of air at both ends, and never less than a decade.
void HistogramView::set_range() {
    if (bars_.empty()) return;
    const double low = std::max<double>(1, static_cast<double>(bars_.front().from));
    const double high = static_cast<double>(bars_.back().to);
    const double middle = std::sqrt(low * high);
    const double reach = std::max(std::sqrt(high / low) * 1.8, 3.3);
    from_ = middle / reach;
    to_ = middle * reach;
}

QRectF HistogramView::plot() const {
    return QRectF(rect()).adjusted(kLeft, kTop, -kRight, -kBottom);
}

double HistogramView::x_of(double nanos) const {
    const double share = std::log(std::max(nanos, from_) / from_) / std::log(to_ / from_);
    return plot().left() + plot().width() * share;
}

void HistogramView::paint_axes(QPainter& painter) const {
    const auto& p = colours();
    const auto box = plot();
    const double highest = static_cast<double>(highest_) / static_cast<double>(histogram_.count);
    const double step = share_step(highest);
    for (double share = 0; share <= highest * 1.06; share += step) {
        const double y = box.bottom() - box.height() * share / (highest * 1.1);
        painter.setPen(share == 0 ? p.border : p.grid);
        painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y));
        painter.setPen(p.muted);
        painter.drawText(QRectF(0, y - 9, kLeft - 8, 18), Qt::AlignRight | Qt::AlignVCenter,
                         tr("%1 %").arg(share * 100, 0, 'f', 0));
    }
    // Decades, and their 2 and 5 where there is room.
    const double decades = std::log10(to_ / from_);
    const bool fine = box.width() / decades > 240;
    for (double decade = std::pow(10, std::floor(std::log10(from_))); decade < to_; decade *= 10)
        for (const double factor : {1.0, 2.0, 5.0}) {
            const double nanos = decade * factor;
            if (nanos < from_ || nanos > to_ || (factor != 1 && !fine)) continue;
            const double x = x_of(nanos);
            painter.setPen(p.border);
            painter.drawLine(QPointF(x, box.bottom()), QPointF(x, box.bottom() + 4));
            painter.setPen(p.muted);
            painter.drawText(QRectF(x - 40, box.bottom() + 6, 80, 18), Qt::AlignCenter,
                             nanos_text(nanos));
        }
}

void HistogramView::paint_bars(QPainter& painter) const {
    const auto box = plot();
    painter.setPen(Qt::NoPen);
    auto colour = colours().accent;
    painter.setBrush(colour);
    for (const auto& bar : bars_) {
        const double left = x_of(std::max<double>(1, static_cast<double>(bar.from)));
        const double right = x_of(static_cast<double>(bar.to));
        const double height = std::max(1.0, box.height() * static_cast<double>(bar.count) /
                                                (static_cast<double>(highest_) * 1.1));
        painter.drawRect(
            QRectF(left, box.bottom() - height, std::max(1.0, right - left - 1), height));
    }
}

void HistogramView::paint_mark(QPainter& painter, const QString& name, double nanos,
                               bool left) const {
    const auto& p = colours();
    const auto box = plot();
    const double x = x_of(nanos);
    painter.setPen(QPen(p.text, 1, Qt::DashLine));
    painter.drawLine(QPointF(x, box.top() - 6), QPointF(x, box.bottom()));
    const auto text = u"%1  %2"_s.arg(name, nanos_text(nanos));
    const double width = painter.fontMetrics().horizontalAdvance(text);
    double start = left ? x - width - 5 : x + 5;
    start = std::clamp(start, 2.0, std::max(2.0, this->width() - width - 2));
    painter.setPen(p.text);
    painter.drawText(QRectF(start, 2, width + 1, 18), Qt::AlignLeft | Qt::AlignVCenter, text);
}

void HistogramView::paintEvent(QPaintEvent*) {
    if (bars_.empty()) return;
    QPainter painter(this);
    auto small = font();
    small.setPointSizeF(small.pointSizeF() * 0.94);
    painter.setFont(small);
    paint_axes(painter);
    paint_bars(painter);
    paint_mark(painter, tr("p50"), static_cast<double>(histogram_.percentile(0.5)), true);
    paint_mark(painter, tr("p99"), static_cast<double>(histogram_.percentile(0.99)), false);
}

const HistogramView::Bar* HistogramView::bar_at(const QPoint& at) const {
    const auto found = std::find_if(bars_.begin(), bars_.end(), [&](const Bar& bar) {
        return at.x() >= x_of(std::max<double>(1, static_cast<double>(bar.from))) &&
               at.x() < x_of(static_cast<double>(bar.to));
    });
    return found == bars_.end() ? nullptr : &*found;
}

QString HistogramView::bar_text(const Bar& bar) const {
    return tr("%1 to %2: %3, %4")
        .arg(nanos_text(static_cast<double>(bar.from)), nanos_text(static_cast<double>(bar.to)),
             count_text(bar.count),
             share_text(static_cast<double>(bar.count) / static_cast<double>(histogram_.count)));
}

bool HistogramView::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    if (const auto* bar = bar_at(help->pos()))
        QToolTip::showText(help->globalPos(), bar_text(*bar), this);
    else
        QToolTip::hideText();
    return true;
}

}  // namespace snakepit::shm::ui
