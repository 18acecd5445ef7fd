// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/pages/page.h"

#include <cstdint>

#include "layout/event_kind.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QStackedWidget;
class QToolButton;

namespace snakepit::shm::ui {

class EmptyState;
class EventModel;
class TableView;

// What happened, newest first, from the event database.
class EventsPage : public Page {
    Q_OBJECT
  public:
    explicit EventsPage(Workspace& workspace, QWidget* parent = nullptr);
    void show_region(const QString& region_id);
    void show_kind(EventKind kind);

  protected:
    void on_shown() override;

  private:
    void build_actions();
    void export_report();
    QWidget* build_filter_row();
    void limit();
    void ask_anew();
    void catch_up();
    void show_state();

    EventModel* model_;
    TableView* table_;
    QComboBox* kind_;
    QLineEdit* words_;
    QToolButton *security_, *follow_;
    QLabel* badge_;
    EmptyState* empty_;
    QStackedWidget* stack_;
    std::uint64_t head_ = 0;  // newest event asked for
    int asks_left_ = 0;
    bool asked_ = false;
    bool held_ = false;  // nothing new is shown while the pointer is on the rows
};

}  // namespace snakepit::shm::ui
