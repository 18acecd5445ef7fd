// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "survey/host_survey.h"
#include "ui/dialogs/task_dialog.h"
#include "ui/models/background.h"

class QComboBox;

namespace snakepit::shm::ui {

// Rehearses what would be removed from the host, with the reason for each segment, then removes
// exactly that. Each is looked at again at that moment: one that is mapped by then is kept, and
// so does another one of its name.
class HostCleanDialog : public TaskDialog {
    Q_OBJECT
  public:
    // `selected`: names a person chose; may be empty.
    HostCleanDialog(Workspace& workspace, std::vector<std::string> selected, QWidget* parent);

  Q_SIGNALS:
    void rehearsed();

  private:
    const std::vector<std::string>& chosen() const;
    void rehearse();
    void show_plan(bool done);
    void show_summary(bool done, std::uint64_t goes, std::uint64_t bytes);
    void run_plan();
    QString command() const;  // of the plan

    std::vector<std::string> selected_;
    QComboBox* scope_;
    QPushButton *again_, *run_;
    QTableWidget* table_;
    Latest latest_;
    std::vector<HostCleanItem> plan_;
};

}  // namespace snakepit::shm::ui
