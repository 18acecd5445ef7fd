// SPDX-License-Identifier: GPL-3.0-or-later
// Drawing on pages of a PDF: everything is said in points, 72 to the inch. One thread, any.
#pragma once

#include <QColor>
#include <QFont>
#include <QPainter>
#include <QPdfWriter>
#include <QPolygonF>
#include <QString>

#include "ui/theme.h"

namespace snakepit::shm::ui {

// Text of several lines: broken between words, or anywhere.
inline constexpr int kWrapped = Qt::AlignLeft | Qt::AlignTop | Qt::TextWordWrap;
inline constexpr int kBroken = Qt::AlignLeft | Qt::AlignTop | Qt::TextWrapAnywhere;

struct TextStyle {
    double size = 9;  // points
    QColor colour;
    bool bold = false;
    bool mono = false;
};

class Paper {
  public:
    // A4, upright, with the first page begun.
    Paper(QIODevice& out, const QString& title);

    void next_page(bool across);  // across: the long side lies
    QRectF page() const;          // inside the margins
    const Palette& colours() const { return colours_; }
    TextStyle style(double size, bool bold = false) const { return {size, colours_.text, bold}; }
    TextStyle muted(double size) const { return {size, colours_.muted}; }

    // Within `box`; lines are broken where Qt::TextWordWrap or Qt::TextWrapAnywhere says so.
    void text(const QRectF& box, int flags, const QString& text, const TextStyle& style);
    double height(double width, int flags, const QString& text, const TextStyle& style) const;
    double width(const QString& text, const TextStyle& style) const;
    void fill(const QRectF& box, const QColor& colour, double radius = 0);
    void frame(const QRectF& box, const QColor& colour, double radius);
    void line(const QPointF& from, const QPointF& to, const QColor& colour, double width = 0.5);
    void area(const QPolygonF& outline, const QColor& colour);
    void curve(const QPolygonF& points, const QColor& colour, double width);
    void picture(const QRectF& box, const QString& svg);

  private:
    QFont font(const TextStyle& style) const;
    QRectF device(const QRectF& box) const;
    QPolygonF device(const QPolygonF& points) const;

    QPdfWriter writer_;
    double unit_;  // device units in a point
    Palette colours_ = light_palette();
    QPainter painter_;  // last: it ends before the writer
};

}  // namespace snakepit::shm::ui
