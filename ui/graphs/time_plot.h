// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <functional>
#include <optional>
#include <vector>

#include "ui/graphs/plotting.h"

namespace snakepit::shm::ui {

// Ticks at 1, 2, 4 … of a binary unit: "64 MiB", not "62.5 MiB".
class ByteTicker : public QCPAxisTicker {
  protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double) override { return 0; }
    QString getTickLabel(double tick, const QLocale&, QChar, int) override;
};

// Whole numbers only.
class CountTicker : public QCPAxisTicker {
  protected:
    double getTickStep(const QCPRange& range) override;
    int getSubTickCount(double) override { return 0; }
};

// Times of day, with the date where that is not clear.
class TimeTicker : public QCPAxisTickerDateTime {
  public:
    void generate(const QCPRange& range, const QLocale& locale, QChar format, int precision,
                  QVector<double>& ticks, QVector<double>* sub_ticks,
                  QVector<QString>* labels) override;
};

// Lines over time: wheel zooms, drag pans, double click follows the present again, and the pointer
// reads out every line. Times are seconds since 1970. GUI thread.
class TimePlot : public QCustomPlot {
    Q_OBJECT
  public:
    // Seconds; samples are taken every second. No line leads over a longer pause.
    static constexpr double kLongestPause = 10;
    using Format = std::function<QString(double)>;
    static constexpr double kShortestView = 5;  // seconds that are seen at least
    explicit TimePlot(QWidget* parent = nullptr);

    enum class Shape { line, step };
    enum class Side { left, right };
    int add_line(const QString& name, Shape shape, Side side = Side::left);
    void remove_lines() { clearGraphs(); }
    void set_points(int line, const QVector<double>& times, const QVector<double>& values) {
        graph(line)->setData(times, values, true);
    }
    void append(int line, double time, double value) { graph(line)->addData(time, value); }
    void drop_before(double time) {
        for (int line = 0; line < graphCount(); ++line) graph(line)->data()->removeBefore(time);
    }
    void set_line_shown(int line, bool shown) { graph(line)->setVisible(shown); }
    QColor line_colour(int line) const;
    int lines() const { return graphCount(); }
    void set_format(Format format) { format_ = std::move(format); }
    void set_ticker(const QSharedPointer<QCPAxisTicker>& ticker);
    void set_side_title(Side side, const QString& title) {
        (side == Side::right ? yAxis2 : yAxis)->setLabel(title);
    }
    void set_logarithmic();  // values; in any plot NaN leaves a gap

    void set_span(double seconds);  // how much is seen while following
    bool following() const { return following_; }
    void follow();
    // What the line says at this moment; no value where it is not known: in a gap, before the first
    // point and long after the last one.
    std::optional<double> value_at(int line, double time) const;
    // Fits the axes to what is seen and draws, once, when the event loop is back.
    void refresh(double now);

  Q_SIGNALS:
    void following_changed(bool following);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

  private:
    void wear_theme();
    void leave_present();
    void limit_range();
    void fit_values();
    void describe();
    QString sentence(int line) const;
    double first_time() const;  // of all points, or a minute ago
    void fit_axis(QCPAxis* axis);
    QCPRange seen_values(QCPAxis* axis) const;
    void show_readout(const QPoint& at);
    void hide_readout();
    QString readout_html(double time) const;

    Format format_;
    QCPItemLine* cursor_;
    QLabel* readout_;
    double span_ = 300;
    double now_ = 0;
    double described_ = 0;  // when it was last put into words
    bool following_ = true;
};

}  // namespace snakepit::shm::ui
