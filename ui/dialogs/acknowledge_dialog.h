// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "alerts/alert.h"
#include "ui/dialogs/task_dialog.h"

class QLineEdit;

namespace snakepit::shm::ui {

class Workspace;

// Says that somebody looks after alerts, and what that one knows of them.
class AcknowledgeDialog : public TaskDialog {
    Q_OBJECT
  public:
    AcknowledgeDialog(Workspace& workspace, std::vector<Alert> alerts, QWidget* parent);

  Q_SIGNALS:
    void finished_run();

  private:
    void show_command();
    void run();

    Workspace& workspace_;
    std::vector<Alert> alerts_;
    QLineEdit* comment_;
    QPushButton* run_;
};

}  // namespace snakepit::shm::ui
