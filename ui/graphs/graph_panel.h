// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QBoxLayout;
class QComboBox;

namespace snakepit::shm::ui {

class TimePlot;

// A plot with its legend (a click hides a line), the choice of the span and the way back to now.
class GraphPanel : public QWidget {
    Q_OBJECT
  public:
    explicit GraphPanel(QWidget* parent = nullptr);
    TimePlot& plot() { return *plot_; }
    void rebuild_legend();  // after lines were added or removed
    void set_compact();     // legend only
    void choose_span(int seconds);

  private:
    TimePlot* plot_;
    QBoxLayout* legend_;
    QComboBox* span_;
    QWidget* controls_;
};

}  // namespace snakepit::shm::ui
