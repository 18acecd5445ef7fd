// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/timeline.h"

#include <QPainter>

#include "ui/models/visible_text.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kEntryLine = 20, kEntryGap = 8, kIndent = 22, kDot = 9;

}  // namespace

Timeline::Timeline(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

void Timeline::set_steps(std::vector<Step> steps) {
    for (auto& step : steps) {
        step.title = visible_text(step.title);
        step.note = visible_text(step.note);
    }
    if (steps == steps_) return;
    steps_ = std::move(steps);
    QStringList spoken;
    for (const auto& step : steps_)
        spoken << u"%1 %2 %3"_s.arg(step.title, step.when, step.note).simplified();
    setAccessibleDescription(spoken.join(u"; "_s));
    updateGeometry();
    update();
}

int Timeline::height_of(const Step& step) const {
    return kEntryLine + (step.note.isEmpty() ? 0 : kEntryLine) + kEntryGap;
}

QSize Timeline::sizeHint() const {
    int height = 0;
    for (const auto& step : steps_) height += height_of(step);
    return {240, std::max(0, height - kEntryGap)};
}

void Timeline::paintEvent(QPaintEvent*) {
    const auto& p = colours();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    int top = 0;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        const auto& step = steps_[i];
        const QPointF centre(kDot / 2.0 + 1, top + kEntryLine / 2.0);
        if (i + 1 < steps_.size()) {
            painter.setPen(QPen(p.border, 1.4));
            painter.drawLine(
                centre + QPointF(0, kDot / 2.0 + 3),
                QPointF(centre.x(), top + height_of(step) + kEntryLine / 2.0 - kDot / 2.0 - 3));
        }
        const auto colour = step.reached ? p.severity(step.severity).text : p.faint;
        painter.setPen(QPen(colour, 1.6));
        painter.setBrush(step.reached ? QBrush(colour) : QBrush(Qt::NoBrush));
        painter.drawEllipse(centre, kDot / 2.0 - 1, kDot / 2.0 - 1);
        const QRect line(kIndent, top, width() - kIndent, kEntryLine);
        painter.setPen(step.reached ? p.text : p.faint);
        painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter, step.title);
        painter.setPen(step.reached ? p.muted : p.faint);
        painter.drawText(line, Qt::AlignRight | Qt::AlignVCenter, step.when);
        if (!step.note.isEmpty()) {
            painter.setPen(p.muted);
            painter.drawText(line.translated(0, kEntryLine - 2), Qt::AlignLeft | Qt::AlignVCenter,
                             fontMetrics().elidedText(step.note, Qt::ElideRight, line.width()));
        }
        top += height_of(step);
    }
}

}  // namespace snakepit::shm::ui
