// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "alerts/alert.h"
#include "ui/dialogs/task_dialog.h"

class QLineEdit;

namespace snakepit::shm::ui {

// Marks alerts as being handled, with a comment.
class AcknowledgeDialog : public TaskDialog {
    Q_OBJECT
  public:
    AcknowledgeDialog(Workspace& workspace, std::vector<Alert> alerts, QWidget* parent);

  private:
    std::vector<std::uint64_t> ids() const;
    void show_command();
    void run();

    std::vector<Alert> alerts_;
    QLineEdit* comment_;
    QPushButton* run_;
};

}  // namespace snakepit::shm::ui
