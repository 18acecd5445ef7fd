// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/graphs/graph_panel.h"

namespace snakepit::shm::ui {

// Used and reserved bytes (left axis) and what the file system has free (right axis).
class MemoryGraph : public SampleGraph {
    Q_OBJECT
  public:
    explicit MemoryGraph(Workspace& workspace, QWidget* parent = nullptr);

  private:
    void draw(const layout::Sample& sample) override;
};

}  // namespace snakepit::shm::ui
