// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QTimer>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "ui/graphs/tickers.h"
#include "ui/models/severity.h"

namespace snakepit::shm::ui {

// Lines over time: wheel zooms, drag pans, double click follows the present again, and the pointer
// reads out every line. A click names a moment; dragging with Shift, a range. Times are seconds
// since 1970. GUI thread.
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
    void drop_between(double from, double to) {  // neither end
        for (int line = 0; line < graphCount(); ++line)
            graph(line)->data()->remove(std::nextafter(from, to), std::nextafter(to, from));
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

    // What can be seen reaches back to there, though its points may not be loaded yet.
    void set_earliest(double time) { earliest_ = time; }
    // A moment that is marked with a line across; none: no moment.
    void set_moment(std::optional<double> time);
    void set_chosen(std::optional<QCPRange> range);  // shaded
    struct Mark {
        double time = 0;
        Severity severity = Severity::neutral;
        QString text;
    };
    void set_marks(std::vector<Mark> marks);  // below the lines, read out with them
    const std::vector<Mark>& marks() const { return marks_; }
    void show_range(const QCPRange& range);  // and stay there
    void show_around(double time);           // if it is not in sight

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
    void range_changed();  // of what is seen
    void moment_clicked(double time);
    void range_chosen(double from, double to);

  protected:
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
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
    void paint_extras(QPainter& painter) const;
    QString marks_html(double time) const;
    void choose_range(const QPoint& to);
    void show_readout(const QPoint& at);
    void hide_readout();
    QString readout_html(double time) const;

    Format format_;
    QCPItemLine* cursor_;
    QLabel* readout_;
    double span_ = 300;
    double now_ = 0;
    std::optional<double> earliest_, moment_;
    std::optional<QCPRange> chosen_;
    std::vector<Mark> marks_;
    std::optional<QPoint> pressed_;  // by the left button, and not moved since
    std::optional<double> choosing_from_;
    QTimer click_;  // a click counts when no second one follows
    double clicked_ = 0;
    double described_ = 0;  // when it was last put into words
    bool following_ = true;
};

}  // namespace snakepit::shm::ui
