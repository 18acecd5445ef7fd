// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/pages/page.h"

namespace snakepit::shm::ui {

class Card;
class ReferenceGraph;
class RegionTable;

// Reference counts over time of the selected regions, or of the most referenced ones.
class ReferencesPage : public Page {
    Q_OBJECT
  public:
    explicit ReferencesPage(Workspace& workspace, QWidget* parent = nullptr);

  protected:
    void on_shown() override;

  private:
    void choose();
    bool faded() const;

    ReferenceGraph* graph_;
    Card* card_;
    RegionTable* table_;
};

}  // namespace snakepit::shm::ui
