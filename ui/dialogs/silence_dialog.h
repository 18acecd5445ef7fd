// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "alerts/alert.h"
#include "ui/dialogs/task_dialog.h"

class QComboBox;
class QLineEdit;

namespace snakepit::shm::ui {

// Suppresses the notifications of some alerts for a time, or until they are resolved.
class SilenceDialog : public TaskDialog {
    Q_OBJECT
  public:
    SilenceDialog(Workspace& workspace, const Alert& alert, QWidget* parent);

  private:
    void add_form();
    AlertSilence silence() const;  // as chosen, from now on
    void show_command();
    void run();

    Alert alert_;
    QComboBox *what_, *time_;
    QLineEdit* comment_;
    QPushButton* run_;
};

}  // namespace snakepit::shm::ui
