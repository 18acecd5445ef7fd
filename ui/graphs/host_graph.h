// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "host_history/history_reader.h"
#include "ui/graphs/graph_panel.h"

namespace snakepit::shm::ui {

// Shared memory of the host over time, a line for each of the largest programs, users or groups.
class HostGraph : public GraphPanel {
    Q_OBJECT
  public:
    static constexpr int kLongest = 86'400;  // seconds: what is loaded at least
    static constexpr std::size_t kMostPoints = 1440, kMostLines = 6;

    explicit HostGraph(QWidget* parent = nullptr);
    // `now`: seconds since 1970. Time that was not recorded is a gap.
    void show_series(const std::vector<HostSeries>& series, double now);
};

}  // namespace snakepit::shm::ui
