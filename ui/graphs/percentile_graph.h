// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "layout/histogram.h"
#include "ui/graphs/graph_panel.h"

namespace snakepit::shm::ui {

// Percentiles of one operation over time, on a logarithmic axis; where nothing was timed there is
// a gap.
class PercentileGraph : public SampleGraph {
    Q_OBJECT
  public:
    explicit PercentileGraph(Workspace& workspace, QWidget* parent = nullptr);
    void watch(layout::Timed what);

  private:
    void draw(const layout::Sample& sample) override;

    layout::Timed what_ = layout::Timed::allocate;
};

}  // namespace snakepit::shm::ui
