// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/models/event_feed.h"
#include "ui/models/region_store.h"
#include "ui/pages/page.h"

class QStackedWidget;

namespace snakepit::shm::ui {

class Card;
class ChoiceRow;
class ElidedLabel;
class HolderLanesView;
class ReferenceGraph;
class RegionTable;

// Reference counts over time of the selected regions, or of the most referenced ones; or who held
// one of them, from when to when.
class ReferencesPage : public Page {
    Q_OBJECT
  public:
    explicit ReferencesPage(Workspace& workspace, QWidget* parent = nullptr);

  protected:
    void on_shown() override;

  private:
    void choose();
    void choose_counts();
    void choose_lanes();
    void load_lanes();
    void pass_second();
    bool faded() const;

    ReferenceGraph* graph_;
    HolderLanesView* lanes_;
    ElidedLabel* legend_;
    QStackedWidget* stack_;
    ChoiceRow* view_;
    Card* card_;
    RegionTable* table_;
    Card* regions_;
    RegionKey lanes_of_;                  // the region whose holders are shown
    std::vector<std::uint64_t> holders_;  // what the registry showed of them when it was asked
    int looks_due_ = 0;
    EventFeed feed_;
};

}  // namespace snakepit::shm::ui
