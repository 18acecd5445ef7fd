// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "ui/graphs/graph_panel.h"

namespace snakepit::shm::ui {

class Workspace;

// Used and reserved bytes (left axis) and what the file system has free (right axis).
class MemoryGraph : public GraphPanel {
    Q_OBJECT
  public:
    explicit MemoryGraph(Workspace& workspace, QWidget* parent = nullptr);

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    void take_new();

    Workspace& workspace_;
    std::uint64_t last_ = 0;  // number of the newest sample drawn
};

}  // namespace snakepit::shm::ui
