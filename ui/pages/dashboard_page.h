// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "ui/dialogs/cleanup_dialog.h"
#include "ui/models/event_feed.h"
#include "ui/pages/page.h"

class QBoxLayout;
class QLabel;
class QStackedWidget;

namespace snakepit::shm::ui {

class CurrentAlerts;
class Card;
class EmptyState;
class FigureCard;
class MemoryGraph;
class RegionTable;

// The key figures, memory over time, the latest events, and orphans.
class DashboardPage : public Page {
    Q_OBJECT
  public:
    DashboardPage(Workspace& workspace, CurrentAlerts& current, QWidget* parent = nullptr);

  Q_SIGNALS:
    void page_wanted(const QString& name);
    void alert_wanted(std::uint64_t id);

  protected:
    void on_shown() override;
    void resizeEvent(QResizeEvent* event) override;

  private:
    QPushButton* make_cleanup_button(const QString& text, CleanupDialog::Scope scope);
    QWidget* build_content();
    Card* build_orphans();
    void refresh();
    void show_moment();
    void show_figures();
    void show_trends();
    void ask_events();
    void show_events();

    EventFeed feed_;
    std::uint64_t events_seen_ = 0;
    int asks_left_ = 0;
    std::vector<EventRow> latest_;
    FigureCard *regions_, *memory_, *references_, *programs_, *orphans_;
    QBoxLayout* middle_;
    QLabel* events_;
    RegionTable* orphan_table_;
    QStackedWidget* stack_;
    EmptyState* nothing_;
};

}  // namespace snakepit::shm::ui
