// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/paper.h"

#include <QFontDatabase>
#include <QGuiApplication>
#include <QPageLayout>
#include <QSvgRenderer>
#include <QTransform>

namespace snakepit::shm::ui {

namespace {

constexpr int kResolution = 720;  // ten units a point: text sits where it was measured
constexpr double kMargin = 40;

}  // namespace

Paper::Paper(QIODevice& out, const QString& title) : writer_(&out), unit_(kResolution / 72.0) {
    writer_.setResolution(kResolution);
    writer_.setPageSize(QPageSize(QPageSize::A4));
    writer_.setPageMargins(QMarginsF(0, 0, 0, 0));
    writer_.setTitle(title);
    writer_.setCreator(u"Snakepit SHM"_s);
    painter_.begin(&writer_);
}

void Paper::next_page(bool across) {
    writer_.setPageOrientation(across ? QPageLayout::Landscape : QPageLayout::Portrait);
    writer_.newPage();
}

QRectF Paper::page() const {
    const auto size = writer_.pageLayout().fullRect(QPageLayout::Point).size();
    return {kMargin, kMargin, size.width() - 2 * kMargin, size.height() - 2 * kMargin};
}

QFont Paper::font(const TextStyle& style) const {
    auto font =
        style.mono ? QFontDatabase::systemFont(QFontDatabase::FixedFont) : QGuiApplication::font();
    font.setPixelSize(qRound(style.size * unit_));
    font.setWeight(style.bold ? QFont::DemiBold : QFont::Normal);
    font.setHintingPreference(QFont::PreferNoHinting);
    return font;
}

QRectF Paper::device(const QRectF& box) const {
    return {box.x() * unit_, box.y() * unit_, box.width() * unit_, box.height() * unit_};
}

QPolygonF Paper::device(const QPolygonF& points) const {
    return QTransform::fromScale(unit_, unit_).map(points);
}

void Paper::text(const QRectF& box, int flags, const QString& text, const TextStyle& style) {
    painter_.setFont(font(style));
    painter_.setPen(style.colour);
    painter_.drawText(device(box), flags, text);
}

double Paper::height(double width, int flags, const QString& text, const TextStyle& style) const {
    const QFontMetricsF metrics(font(style), const_cast<QPdfWriter*>(&writer_));
    return metrics.boundingRect(QRectF(0, 0, width * unit_, 1e7), flags, text).height() / unit_;
}

double Paper::width(const QString& text, const TextStyle& style) const {
    const QFontMetricsF metrics(font(style), const_cast<QPdfWriter*>(&writer_));
    return metrics.horizontalAdvance(text) / unit_;
}

void Paper::fill(const QRectF& box, const QColor& colour, double radius) {
    painter_.setPen(Qt::NoPen);
    painter_.setBrush(colour);
    painter_.drawRoundedRect(device(box), radius * unit_, radius * unit_);
}

void Paper::frame(const QRectF& box, const QColor& colour, double radius) {
    painter_.setPen(QPen(colour, 0.6 * unit_));
    painter_.setBrush(Qt::NoBrush);
    painter_.drawRoundedRect(device(box), radius * unit_, radius * unit_);
}

void Paper::line(const QPointF& from, const QPointF& to, const QColor& colour, double width) {
    painter_.setPen(QPen(colour, width * unit_));
    painter_.drawLine(from * unit_, to * unit_);
}

void Paper::area(const QPolygonF& outline, const QColor& colour) {
    painter_.setPen(Qt::NoPen);
    painter_.setBrush(colour);
    painter_.drawPolygon(device(outline));
}

void Paper::curve(const QPolygonF& points, const QColor& colour, double width) {
    painter_.setPen(QPen(colour, width * unit_, Qt::SolidLine, Qt::FlatCap, Qt::MiterJoin));
    painter_.setBrush(Qt::NoBrush);
    painter_.drawPolyline(device(points));
}

void Paper::picture(const QRectF& box, const QString& svg) {
    QSvgRenderer(svg).render(&painter_, device(box));
}

}  // namespace snakepit::shm::ui
