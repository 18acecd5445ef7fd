// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/pages/page.h"

namespace snakepit::shm::ui {

class FigureCard;
class RegionTable;
class Workspace;

// Where the memory is: used, reserved and free, over time and by region.
class MemoryPage : public Page {
    Q_OBJECT
  public:
    explicit MemoryPage(Workspace& workspace, QWidget* parent = nullptr);

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    void refresh();

    Workspace& workspace_;
    FigureCard *used_, *reserved_, *free_, *peak_;
    RegionTable* largest_;
};

}  // namespace snakepit::shm::ui
