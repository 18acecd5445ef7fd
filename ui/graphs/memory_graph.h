// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/graphs/sample_graph.h"

namespace snakepit::shm::ui {

// Used and reserved bytes (left axis) and what the file system has free (right axis).
class MemoryGraph : public SampleGraph {
    Q_OBJECT
  public:
    explicit MemoryGraph(Workspace& workspace, QWidget* parent = nullptr);

  private:
    void draw(const layout::Sample& sample) override;
    std::vector<std::string> metrics() const override;
};

}  // namespace snakepit::shm::ui
