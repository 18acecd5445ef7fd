// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "ui/dialogs/task_dialog.h"
#include "ui/models/sources.h"

class QCheckBox;

namespace snakepit::shm::ui {

// Lists every target with its holders, deallocates one after the other and shows what became
// of each.
class DeallocateDialog : public TaskDialog {
    Q_OBJECT
  public:
    DeallocateDialog(Workspace& workspace, std::vector<RegionInfo> targets, QWidget* parent);

  private:
    void show_targets();
    void ask_holders();
    void show_holders(int row, const RegionInfo& info);
    void explain();
    void run();
    void show_outcome(int row, const Result<bool>& outcome);

    std::vector<RegionInfo> targets_;
    QTableWidget* table_;
    QCheckBox* force_;
    QPushButton* run_;
    int pending_ = 0;
    int failed_ = 0;
};

}  // namespace snakepit::shm::ui
