// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "ui/dialogs/task_dialog.h"
#include "ui/models/sources.h"

class QFormLayout;
class QLabel;
class QProgressBar;

namespace snakepit::shm::ui {

class Card;

// Whether the history is the one that was recorded, as `snakepit-shm audit verify` says it.
class AuditDialog : public TaskDialog {
    Q_OBJECT
  public:
    AuditDialog(Workspace& workspace, QWidget* parent);

  Q_SIGNALS:
    void verified();

  private:
    QLabel* add_row(QFormLayout* form, const QString& name, bool mono = false);
    QWidget* build_verdict();
    void verify();
    void show_verdict(const AuditVerdict& verdict);
    void show_findings(const AuditVerdict& verdict);

    QLabel *state_, *summary_, *proven_, *rows_, *key_, *checkpoints_, *removed_, *notes_;
    QProgressBar* busy_;
    QWidget* facts_;
    QTableWidget* findings_;
    QWidget* findings_card_;
    QPushButton *again_, *export_;
};

}  // namespace snakepit::shm::ui
