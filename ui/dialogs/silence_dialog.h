// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "alerts/alert.h"
#include "ui/dialogs/task_dialog.h"

class QComboBox;
class QLineEdit;

namespace snakepit::shm::ui {

class Workspace;

// Tells nobody of some alerts for a time, or until they are resolved.
class SilenceDialog : public TaskDialog {
    Q_OBJECT
  public:
    SilenceDialog(Workspace& workspace, const Alert& alert, QWidget* parent);

  Q_SIGNALS:
    void finished_run();

  private:
    void add_form();
    AlertSilence silence() const;  // as chosen, from now on
    void show_command();
    void run();

    Workspace& workspace_;
    Alert alert_;
    QComboBox *what_, *time_;
    QLineEdit* comment_;
    QPushButton* run_;
};

}  // namespace snakepit::shm::ui
