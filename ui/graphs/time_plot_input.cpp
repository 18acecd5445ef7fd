// SPDX-License-Identifier: GPL-3.0-or-later
// Mouse, wheel and keyboard of a plot, and what is painted above its lines.
#include <QApplication>
#include <QMouseEvent>
#include <QPainter>
#include <cmath>

#include "ui/graphs/time_plot.h"
#include "ui/models/format.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kTimeWidth = 120;  // pixels for one time below the axis, and room around it
constexpr int kNear = 5;         // pixels from a mark at which it is read out
constexpr int kSign = 5;         // pixels: size of the sign of a mark

}  // namespace

void TimePlot::mousePressEvent(QMouseEvent* event) {
    setFocus(Qt::MouseFocusReason);
    const bool left = event->button() == Qt::LeftButton;
    if (left && event->modifiers().testFlag(Qt::ShiftModifier)) {
        choosing_from_ = xAxis->pixelToCoord(event->pos().x());
        event->accept();
        return;
    }
    if (left) pressed_ = event->pos();
    QCustomPlot::mousePressEvent(event);
}

// A hand is not quite still while it clicks: a small move does not drag yet.
void TimePlot::mouseMoveEvent(QMouseEvent* event) {
    if (choosing_from_) return choose_range(event->pos());
    if (pressed_ &&
        (event->pos() - *pressed_).manhattanLength() < QApplication::startDragDistance())
        return;
    pressed_.reset();
    QCustomPlot::mouseMoveEvent(event);
    if (event->buttons() & Qt::LeftButton) leave_present();
    show_readout(event->pos());
}

void TimePlot::mouseReleaseEvent(QMouseEvent* event) {
    if (choosing_from_) {
        const auto from = std::exchange(choosing_from_, std::nullopt);
        const auto chosen = std::exchange(chosen_, std::nullopt);
        update();
        if (chosen && std::abs(xAxis->coordToPixel(*from) - event->pos().x()) > kNear)
            Q_EMIT range_chosen(chosen->lower, chosen->upper);
        return;
    }
    const auto pressed = std::exchange(pressed_, std::nullopt);
    if (pressed && event->button() == Qt::LeftButton && axisRect()->rect().contains(*pressed)) {
        clicked_ = xAxis->pixelToCoord(pressed->x());
        click_.start(QApplication::doubleClickInterval());
    }
    QCustomPlot::mouseReleaseEvent(event);
}

void TimePlot::choose_range(const QPoint& to) {
    QCPRange range(*choosing_from_, xAxis->pixelToCoord(to.x()));
    range.normalize();
    chosen_ = range.bounded(xAxis->range().lower, xAxis->range().upper);
    hide_readout();
    update();
}

void TimePlot::mouseDoubleClickEvent(QMouseEvent* event) {
    event->accept();
    click_.stop();
    pressed_.reset();
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
    QPainter painter(this);
    paint_extras(painter);
    if (!hasFocus()) return;
    painter.setClipping(false);
    painter.setPen(colours().accent);
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
}

void TimePlot::paint_extras(QPainter& painter) const {
    const auto area = axisRect()->rect();
    const auto x_of = [this](double time) {
        return static_cast<int>(std::lround(xAxis->coordToPixel(time)));
    };
    painter.setClipRect(area.adjusted(-kSign, 0, kSign, 1));
    if (chosen_) {
        auto fill = colours().accent;
        fill.setAlpha(40);
        painter.fillRect(QRect(QPoint(x_of(chosen_->lower), area.top()),
                               QPoint(x_of(chosen_->upper), area.bottom())),
                         fill);
    }
    for (const auto& mark : marks_) {
        if (!xAxis->range().contains(mark.time)) continue;
        const int x = x_of(mark.time), y = area.bottom();
        painter.setPen(Qt::NoPen);
        painter.setBrush(colours().severity(mark.severity).text);
        painter.drawPolygon(QPolygon{{x - kSign, y + 1}, {x + kSign, y + 1}, {x, y - 2 * kSign}});
    }
    if (!moment_ || !xAxis->range().contains(*moment_)) return;
    const int x = x_of(*moment_);
    painter.setPen(QPen(colours().accent, 2));
    painter.drawLine(x, area.top(), x, area.bottom());
}

QString TimePlot::marks_html(double time) const {
    QString out;
    for (const auto& mark : marks_)
        if (std::abs(xAxis->coordToPixel(mark.time) - xAxis->coordToPixel(time)) <= kNear)
            out += u"<tr><td colspan='2'><span style='color:%1'>▲</span>&nbsp;%2</td></tr>"_s.arg(
                colours().severity(mark.severity).text.name(), html_text(mark.text));
    return out;
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
