// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "layout/histogram.h"
#include "ui/graphs/graph_panel.h"

namespace snakepit::shm::ui {

class Workspace;

// Percentiles of one operation over time, on a logarithmic axis; where nothing was timed there is
// a gap.
class PercentileGraph : public GraphPanel {
    Q_OBJECT
  public:
    explicit PercentileGraph(Workspace& workspace, QWidget* parent = nullptr);
    void watch(layout::Timed what);

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    void begin_again();
    void take_new();

    Workspace& workspace_;
    layout::Timed what_ = layout::Timed::allocate;
    std::uint64_t last_ = 0;  // number of the newest sample drawn
};

}  // namespace snakepit::shm::ui
