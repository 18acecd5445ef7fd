// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <map>

#include "alerts/alert.h"
#include "ui/dialogs/task_dialog.h"
#include "ui/models/background.h"

class QCheckBox;
class QComboBox;
class QFormLayout;
class QLineEdit;

namespace snakepit::shm::ui {

// Changes when a rule fires, and says what it would have done in the last week if it had been so.
class AlertRuleDialog : public TaskDialog {
    Q_OBJECT
  public:
    AlertRuleDialog(Workspace& workspace, const AlertRule& rule, QWidget* parent);

  Q_SIGNALS:
    void backtested();

  protected:
    bool has_changes() const override;

  private:
    void add_form();
    void add_backtest();
    QLineEdit* add_line(QFormLayout* form, const QString& name, const QString& text,
                        const QString& hint);
    // What the form says; the message names what cannot be understood.
    Result<AlertRule> edited() const;
    void apply_edit();
    void backtest();
    void show_backtest(const Backtest& past);
    void run();

    AlertRule rule_;
    QCheckBox* enabled_;
    QComboBox *severity_, *comparison_;
    QLineEdit *threshold_, *resolve_, *for_, *resolve_for_, *window_;
    QLabel *condition_, *past_;
    QTableWidget* firings_;
    QPushButton* run_;
    QTimer rest_;
    Latest latest_;
};

}  // namespace snakepit::shm::ui
