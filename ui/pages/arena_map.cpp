// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/arena_map.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "ui/models/format.h"
#include "ui/models/visible_text.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kLine = 22, kGap = 4, kFewestPixels = 1;

}  // namespace

ArenaMap::ArenaMap(std::function<QString(const RegionId&)> describe, QWidget* parent)
    : QWidget(parent), describe_(std::move(describe)) {
    setAccessibleName(tr("Map of the arena"));
    setContentsMargins(16, 0, 16, 12);
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
}

void ArenaMap::show_arena(std::uint64_t size, std::vector<Slice> slices) {
    if (size == size_ && slices == slices_) return;
    size_ = size;
    slices_ = std::move(slices);
    std::uint64_t used = 0;
    for (const auto& slice : slices_) used += slice.size;
    setAccessibleDescription(
        tr("%1 of %2 are used by %3")
            .arg(size_text(used), size_text(size_),
                 pluralize(static_cast<std::uint64_t>(slices_.size()), "region", "regions")));
    update();
}

int ArenaMap::lines() const {
    return std::max(1, (contentsRect().height() + kGap) / (kLine + kGap));
}

double ArenaMap::bytes_a_line() const {
    return std::max(1.0, std::ceil(static_cast<double>(size_) / lines()));
}

const ArenaMap::Slice* ArenaMap::at(QPoint point) const {
    const auto area = contentsRect();
    if (size_ == 0 || !area.contains(point)) return nullptr;
    point -= area.topLeft();
    const int line = point.y() / (kLine + kGap);
    if (line >= lines() || point.y() % (kLine + kGap) >= kLine) return nullptr;
    // The bytes of this pixel: small regions are found by any pixel that they are drawn on.
    const double a_pixel = bytes_a_line() / std::max(1, area.width());
    const double begin = line * bytes_a_line() + point.x() * a_pixel, end = begin + a_pixel;
    const auto next = std::partition_point(slices_.begin(), slices_.end(), [&](const Slice& slice) {
        return static_cast<double>(slice.offset + slice.size) <= begin;
    });
    return next != slices_.end() && static_cast<double>(next->offset) < end ? &*next : nullptr;
}

void ArenaMap::paintEvent(QPaintEvent*) {
    const auto& p = colours();
    QPainter painter(this);
    painter.setPen(Qt::NoPen);
    painter.translate(contentsRect().topLeft());
    const auto per_line = bytes_a_line();
    const double scale = contentsRect().width() / per_line;
    for (int line = 0; line < lines(); ++line) {
        const double begin = line * per_line;
        const double bytes = std::min(per_line, static_cast<double>(size_) - begin);
        if (bytes <= 0) break;
        painter.fillRect(QRectF(0, line * (kLine + kGap), bytes * scale, kLine), p.grid);
    }
    for (const auto& slice : slices_) {
        auto from = static_cast<double>(slice.offset);
        const auto end = from + static_cast<double>(slice.size);
        while (from < end) {
            const int line = static_cast<int>(from / per_line);
            const double until = std::min(end, (line + 1) * per_line);
            const double left = (from - line * per_line) * scale;
            const double wide = std::max<double>(kFewestPixels, (until - from) * scale - 1);
            painter.fillRect(QRectF(left, line * (kLine + kGap), wide, kLine),
                             p.severity(slice.severity).text);
            from = until;
        }
    }
}

bool ArenaMap::event(QEvent* event) {
    if (event->type() != QEvent::ToolTip) return QWidget::event(event);
    const auto* help = static_cast<QHelpEvent*>(event);
    if (const auto* slice = at(help->pos()))
        QToolTip::showText(help->globalPos(), tooltip_text(describe_(slice->id)), this);
    else
        QToolTip::hideText();
    return true;
}

void ArenaMap::mouseDoubleClickEvent(QMouseEvent* event) {
    if (const auto* slice = at(event->position().toPoint()))
        Q_EMIT region_wanted(QString::fromStdString(slice->id.str()));
}

}  // namespace snakepit::shm::ui
