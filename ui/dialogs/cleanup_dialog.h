// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/region.h"
#include "ui/dialogs/task_dialog.h"
#include "ui/models/background.h"
#include "ui/models/sources.h"

class QCheckBox;
class QComboBox;

namespace snakepit::shm::ui {

// Rehearses a cleanup, shows the plan with reasons and bytes, then runs exactly that plan. The
// manager checks each item again when it runs.
class CleanupDialog : public TaskDialog {
    Q_OBJECT
  public:
    enum class Scope { due, orphans, expired, all_eligible };
    CleanupDialog(Workspace& workspace, Scope scope, QWidget* parent);

  Q_SIGNALS:
    void rehearsed();

  private:
    CleanupRequest request() const;
    void rehearse();
    void show_plan(const CleanupResult& plan, bool done);
    void run_plan();
    void fold_kept();
    QString command(bool dry_run) const;

    QComboBox* scope_;
    QTableWidget* table_;
    QCheckBox* kept_;
    int going_ = 0;  // rows, the first ones
    QPushButton* run_;
    Latest latest_;
    CleanupResult plan_;
};

}  // namespace snakepit::shm::ui
