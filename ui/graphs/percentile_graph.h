// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "layout/histogram.h"
#include "ui/graphs/sample_graph.h"

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
    std::vector<std::string> metrics() const override;
    double scale() const override { return 1e9; }  // metrics are seconds
    bool zero_is_nothing() const override { return true; }

    layout::Timed what_ = layout::Timed::allocate;
};

}  // namespace snakepit::shm::ui
