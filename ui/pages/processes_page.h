// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "ui/pages/page.h"

class QStackedWidget;

namespace snakepit::shm::ui {

class Card;
class ClientModel;
class FilterLine;
class RegionTable;
class TableView;

// Programs that are connected, and what the selected one holds and owns.
class ProcessesPage : public Page {
    Q_OBJECT
  public:
    explicit ProcessesPage(Workspace& workspace, QWidget* parent = nullptr);

  protected:
    void on_shown() override { refresh(); }

  private:
    void refresh();
    void choose();

    ClientModel* model_;
    TableView* table_;
    FilterLine* filter_;
    QStackedWidget* stack_;
    RegionTable* holdings_;
    Card* holdings_card_;
    std::int64_t pid_ = 0;
};

}  // namespace snakepit::shm::ui
