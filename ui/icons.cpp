// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/icons.h"

#include <QFile>
#include <QIconEngine>
#include <QPainter>
#include <QSvgRenderer>

#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

enum class Use { severity, navigation, filled };

QByteArray drawing(const QString& name) {
    QFile file(u":/icons/%1.svg"_s.arg(name));
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

class LineIconEngine : public QIconEngine {
  public:
    LineIconEngine(QByteArray svg, Use use, Severity severity)
        : svg_(std::move(svg)), use_(use), severity_(severity) {}

    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode,
               QIcon::State state) override {
        auto svg = svg_;
        svg.replace("currentColor", colour(mode, state).name().toUtf8());
        QSvgRenderer(svg).render(painter, QRectF(rect));
    }

    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
        QPixmap pixmap(size);
        pixmap.fill(Qt::transparent);
        QPainter painter(&pixmap);
        paint(&painter, QRect(QPoint(), size), mode, state);
        return pixmap;
    }

    QIconEngine* clone() const override { return new LineIconEngine(*this); }

  private:
    QColor colour(QIcon::Mode mode, QIcon::State state) const {
        const auto& p = colours();
        if (mode == QIcon::Disabled) return p.faint;
        switch (use_) {
            case Use::navigation:
                return state == QIcon::On ? p.accent : p.muted;
            case Use::filled:
                return p.accent_text;
            case Use::severity:
                break;
        }
        if (severity_ == Severity::none) return state == QIcon::On ? p.accent : p.muted;
        return p.severity(severity_).text;
    }

    QByteArray svg_;
    Use use_;
    Severity severity_;
};

QIcon make(const QString& name, Use use, Severity severity) {
    return QIcon(new LineIconEngine(drawing(name), use, severity));
}

}  // namespace

QIcon icon(const QString& name, Severity severity) {
    return make(name, Use::severity, severity);
}
QIcon navigation_icon(const QString& name) {
    return make(name, Use::navigation, Severity::none);
}
QIcon filled_icon(const QString& name) {
    return make(name, Use::filled, Severity::none);
}

}  // namespace snakepit::shm::ui
