// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "alerts/alert.h"
#include "ui/pages/page.h"

class QLineEdit;
class QPushButton;
class QStackedWidget;
class QToolButton;

namespace snakepit::shm::ui {

class CurrentAlerts;
class AlertDetails;
class AlertHistoryModel;
class AlertModel;
class AlertRulesView;
class ChoiceRow;
class EmptyState;
class SilencesView;
class TableView;

// Current and past alerts, rules and silences.
class AlertsPage : public Page {
    Q_OBJECT
  public:
    enum View { kLive, kHistory, kRules, kSilences };
    AlertsPage(Workspace& workspace, CurrentAlerts& current, QWidget* parent = nullptr);
    void show_view(View view);
    void show_alert(std::uint64_t id);  // in the live list, once it is there

  protected:
    void on_shown() override;
    void hideEvent(QHideEvent* event) override;

  private:
    void build_actions();
    QWidget* build_choice_row();
    QWidget* build_list();
    QStackedWidget* build_table(TableView* table, EmptyState* empty);
    void show_current();
    void show_state();
    void show_pane();
    void show_history();
    QString live_name() const;
    void show_counts();
    void show_selection();
    void refresh_view();
    void on_second();
    std::vector<Alert> selected() const;
    void acknowledge();
    void silence();
    TableView* table() const;

    CurrentAlerts& current_;
    AlertModel* live_;
    AlertHistoryModel* history_;
    TableView *live_table_, *history_table_;
    EmptyState *live_empty_, *history_empty_;
    QStackedWidget *live_stack_, *history_stack_;
    QStackedWidget *lists_, *views_;
    ChoiceRow* choice_;
    QLineEdit* search_;
    AlertDetails* details_;
    AlertRulesView* rules_;
    SilencesView* silences_;
    QPushButton *acknowledge_, *silence_;
    QToolButton* pane_;
    std::uint64_t wanted_ = 0;  // to be selected when it comes
    int seconds_ = 0;
};

}  // namespace snakepit::shm::ui
