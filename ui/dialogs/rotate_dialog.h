// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/region.h"
#include "ui/dialogs/task_dialog.h"

namespace snakepit::shm::ui {

// Encrypts one region again, under another key, once, after it was asked.
class RotateDialog : public TaskDialog {
    Q_OBJECT
  public:
    RotateDialog(Workspace& workspace, const RegionInfo& region, QWidget* parent);

    // Only what is encrypted has a key, and only while it is used normally.
    static bool applies_to(const RegionInfo& region);

  private:
    void run();

    RegionInfo region_;
    QPushButton* run_;
};

}  // namespace snakepit::shm::ui
