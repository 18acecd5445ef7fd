// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <vector>

#include "layout/histogram.h"

namespace snakepit::shm::ui {

// How long operations of one kind took: bars over a logarithmic axis of time, up to four to a
// doubling, with the median and the 99th percentile marked. The pointer reads a bar out. GUI
// thread.
class HistogramView : public QWidget {
    Q_OBJECT
  public:
    explicit HistogramView(QWidget* parent = nullptr);
    void show_histogram(const layout::Histogram& histogram);
    QSize minimumSizeHint() const override { return {240, 140}; }

  protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

  private:
    struct Bar {
        std::uint64_t from = 0, to = 0;  // nanoseconds
        std::uint64_t count = 0;
    };
    QRectF plot() const;
    double x_of(double nanos) const;
    const Bar* bar_at(const QPoint& at) const;
    QString bar_text(const Bar& bar) const;
    void paint_axes(QPainter& painter) const;
    void paint_bars(QPainter& painter) const;
    void paint_mark(QPainter& painter, const QString& name, double nanos, bool above) const;
    void set_range();

    layout::Histogram histogram_;
    std::vector<Bar> bars_;
    double from_ = 1, to_ = 10;  // of the axis, nanoseconds
    std::uint64_t highest_ = 0;
};

}  // namespace snakepit::shm::ui
