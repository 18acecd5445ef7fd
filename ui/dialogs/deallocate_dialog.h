// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <vector>

#include "ui/dialogs/task_dialog.h"
#include "ui/models/observed_region.h"

class QCheckBox;

namespace snakepit::shm::ui {

struct DeallocateTarget {
    RegionInfo info;
    bool hidden = false;  // from who selected it, by a filter
};

// Lists every target with its holders and follows what becomes of them. Deallocates those that are
// held as shown; of the others it shows what is there now and asks again.
class DeallocateDialog : public TaskDialog {
    Q_OBJECT
  public:
    DeallocateDialog(Workspace& workspace, std::vector<DeallocateTarget> targets, QWidget* parent);

  Q_SIGNALS:
    void observed();  // all targets, as they are now

  private:
    enum class Phase { unseen, planned, running, changed, ended };
    struct Row {
        ObservedRegion shown;
        bool hidden = false;
        Phase phase = Phase::unseen;
    };
    void show_rows();
    void show_region(std::size_t row);
    void show_state(std::size_t row, const QString& text, Severity severity);
    void show_result(std::size_t row, const QString& text, Severity severity = Severity::none);
    void observe();
    void take(std::size_t row, Result<ObservedRegion> now);
    void show_failure(std::size_t row, const Error& error);
    void explain();
    void run();
    void show_outcome(std::size_t row, bool force, DeallocateOutcome outcome);
    void finish();
    std::vector<std::size_t> waiting() const;  // rows that the button would deallocate

    std::vector<Row> rows_;
    QTableWidget* table_;
    QCheckBox* force_;
    QPushButton* run_;
    QTimer again_;
    int pending_ = 0;
    int freed_ = 0, withdrawn_ = 0, revoked_ = 0, gone_ = 0, failed_ = 0;
};

}  // namespace snakepit::shm::ui
