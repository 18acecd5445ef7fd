// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <optional>

#include "alerts/alert.h"

class QLabel;
class QPushButton;
class QStackedWidget;

namespace snakepit::shm::ui {

class AlertRuleModel;
class EmptyState;
class TableView;
class Workspace;

// What alerts are raised for: every rule with its condition, to be switched off, on and changed.
class AlertRulesView : public QWidget {
    Q_OBJECT
  public:
    explicit AlertRulesView(Workspace& workspace, QWidget* parent = nullptr);
    void refresh();  // asks for them
    const std::vector<AlertRule>& rules() const { return rules_; }
    TableView* table() { return table_; }

  Q_SIGNALS:
    void answered();

  private:
    QWidget* build_actions();
    std::optional<AlertRule> selected() const;
    void show_selection();
    void edit();
    void switch_over();  // on or off
    void take(Result<std::vector<AlertRule>> rules);

    Workspace& workspace_;
    AlertRuleModel* model_;
    TableView* table_;
    QStackedWidget* stack_;
    EmptyState* empty_;
    QLabel* problem_;
    QPushButton *edit_, *switch_;
    QWidget* command_line_;
    QLabel* command_;
    std::vector<AlertRule> rules_;
    bool asking_ = false;
};

}  // namespace snakepit::shm::ui
