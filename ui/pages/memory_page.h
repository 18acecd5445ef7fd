// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/pages/page.h"

namespace snakepit::shm::ui {

class FigureCard;
class RegionTable;

// Where the memory is: used, reserved and free, over time and by region.
class MemoryPage : public Page {
    Q_OBJECT
  public:
    explicit MemoryPage(Workspace& workspace, QWidget* parent = nullptr);

  protected:
    void on_shown() override { refresh(); }

  private:
    void refresh();

    FigureCard *used_, *reserved_, *free_, *peak_;
    RegionTable* largest_;
};

}  // namespace snakepit::shm::ui
