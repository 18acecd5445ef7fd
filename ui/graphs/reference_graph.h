// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "ui/graphs/graph_panel.h"
#include "ui/models/event_feed.h"
#include "ui/models/region_store.h"

namespace snakepit::shm::ui {

class Workspace;

// Reference counts of some regions as steps: from the event database up to now, live from here on.
class ReferenceGraph : public GraphPanel {
    Q_OBJECT
  public:
    static constexpr std::size_t kMaxRegions = 8;  // as many as there are colours

    explicit ReferenceGraph(Workspace& workspace, QWidget* parent = nullptr);
    // Draws these, at most kMaxRegions of them.
    void watch(std::vector<RegionKey> keys);
    const std::vector<RegionKey>& watched() const { return watched_; }

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    void tick();
    void begin();  // again, with what the database knows
    void load_history(std::size_t index);
    void add_history(std::size_t index, const std::vector<EventRow>& rows);

    Workspace& workspace_;
    EventFeed feed_;
    std::vector<RegionKey> watched_;
    double last_tick_ = 0;
    std::vector<double> live_from_;  // by line: before this the database is right
};

}  // namespace snakepit::shm::ui
