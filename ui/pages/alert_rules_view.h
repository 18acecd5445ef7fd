// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "alerts/alert.h"
#include "ui/pages/asked_table.h"

namespace snakepit::shm::ui {

class AlertRuleModel;

// What alerts are raised for: every rule with its condition, to be switched off, on and changed.
class AlertRulesView : public AskedTable {
    Q_OBJECT
  public:
    explicit AlertRulesView(Workspace& workspace, QWidget* parent = nullptr);
    void refresh();  // asks for them
    const std::vector<AlertRule>& rules() const { return rules_; }

  Q_SIGNALS:
    void answered();

  private:
    void build_actions();
    std::optional<AlertRule> selected() const;
    void show_selection() override;
    void edit();
    void switch_over();  // on or off
    void receive(Result<std::vector<AlertRule>> rules);

    AlertRuleModel* model_;
    QPushButton *edit_, *switch_;
    std::vector<AlertRule> rules_;
    std::optional<Error> failure_;  // of the last change
};

}  // namespace snakepit::shm::ui
