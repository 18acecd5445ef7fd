// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "ui/models/arenas.h"
#include "ui/pages/page.h"

class QLabel;
class QProgressBar;
class QPushButton;
class QStackedWidget;

namespace snakepit::shm::ui {

class ArenaMap;
class ArenaModel;
class Card;
class EmptyState;
class FigureCard;
class TableView;

// The arenas, the map of the selected one, and defragmentation.
class ArenasPage : public Page {
    Q_OBJECT
  public:
    explicit ArenasPage(Workspace& workspace, QWidget* parent = nullptr);

  Q_SIGNALS:
    void loaded();

  protected:
    void on_shown() override;

  private:
    QWidget* build_tables();
    void ask();
    void receive(Result<ArenaReport> report);
    void show_none(const QString& title, const QString& text);
    void count_regions(std::vector<Arena>& arenas);
    void show_figures(const ArenaReport& report);
    void show_map();
    void defragment();

    ArenaModel* model_;
    TableView* table_;
    ArenaMap* map_;
    Card* map_card_;
    EmptyState* empty_;
    QStackedWidget* stack_;
    FigureCard *count_, *used_, *holes_, *fragmentation_;
    QPushButton* defragment_;
    QProgressBar* busy_;
    QLabel* note_;
    bool asking_ = false;
};

}  // namespace snakepit::shm::ui
