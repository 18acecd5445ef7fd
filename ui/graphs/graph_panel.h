// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <cstdint>

#include "layout/registry_layout.h"

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

  private:
    TimePlot* plot_;
    QBoxLayout* legend_;
    QComboBox* span_;
    QWidget* controls_;
};

// A graph of the samples, which are drawn while it is seen.
class SampleGraph : public GraphPanel {
  public:
    SampleGraph(Workspace& workspace, QWidget* parent);

  protected:
    void showEvent(QShowEvent* event) override;
    virtual void draw(const layout::Sample& sample) = 0;
    void draw_new();
    void begin_again();

  private:
    void leave_gap(const layout::Sample& sample);

    Workspace& workspace_;
    std::uint64_t last_ = 0;      // number of the newest sample drawn
    std::int64_t last_time_ = 0;  // when it was taken
};

}  // namespace snakepit::shm::ui
