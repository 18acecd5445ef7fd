// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <cstdint>

class QBoxLayout;
class QComboBox;

namespace snakepit::shm::ui {

class TimePlot;
class Workspace;

// The unit of the time axis.
inline double seconds(std::int64_t micros) {
    return static_cast<double>(micros) / 1e6;
}

// A plot with its legend (a click hides a line), the choice of the span and the way back to now.
class GraphPanel : public QWidget {
    Q_OBJECT
  public:
    explicit GraphPanel(QWidget* parent = nullptr);
    TimePlot& plot() { return *plot_; }
    void rebuild_legend();  // after lines were added or removed
    void set_compact();     // legend only
    void choose_span(int seconds);
    int span() const;  // seconds
    // A click on the plot leads the window to that moment, a chosen range limits it to that time,
    // and the plot shows both.
    void lead(Workspace& workspace);

  Q_SIGNALS:
    void span_changed();

  private:
    TimePlot* plot_;
    QBoxLayout* legend_;
    QComboBox* span_;
    QWidget* controls_;
};

}  // namespace snakepit::shm::ui
