// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "ui/models/event_feed.h"
#include "ui/pages/page.h"

class QLabel;
class QStackedWidget;

namespace snakepit::shm::ui {

class AlertBook;
class Card;
class EmptyState;
class FigureCard;
class MemoryGraph;
class RegionTable;
class Workspace;

// The key figures, memory over time, what happened last, and what was left behind.
class DashboardPage : public Page {
    Q_OBJECT
  public:
    DashboardPage(Workspace& workspace, AlertBook& book, QWidget* parent = nullptr);

  Q_SIGNALS:
    void page_wanted(const QString& name);
    void alert_wanted(std::uint64_t id);

  protected:
    void showEvent(QShowEvent* event) override;

  private:
    QWidget* build_content();
    Card* build_orphans();
    void refresh();
    void show_figures();
    void show_trends();
    void ask_events();

    Workspace& workspace_;
    EventFeed feed_;
    std::uint64_t events_seen_ = 0;
    int asks_left_ = 0;
    FigureCard *regions_, *memory_, *references_, *programs_, *orphans_;
    QLabel* events_;
    RegionTable* orphan_table_;
    QStackedWidget* orphan_stack_;
    QStackedWidget* stack_;
    EmptyState* nothing_;
};

}  // namespace snakepit::shm::ui
