// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>

#include "ui/dialogs/task_dialog.h"
#include "ui/models/comparison_model.h"

class QComboBox;
class QDateTimeEdit;
class QLineEdit;
class QProgressBar;

namespace snakepit::shm::ui {

class ChoiceRow;
class TableView;

// One side of a comparison: what exists now, a recorded moment, or a bundle.
class CaptureChooser : public QWidget {
    Q_OBJECT
  public:
    enum class Kind { now, moment, bundle };
    // `name`: what screen readers say. `moment`: what is offered to begin with.
    CaptureChooser(Workspace& workspace, const QString& name, Kind kind, Timestamp moment);

    Kind kind() const;
    Timestamp moment() const;
    QString file() const;
    void choose_file(const QString& file);  // and its kind
    // What the command line calls it; empty: it is not complete.
    QString word() const;

  Q_SIGNALS:
    void changed();

  private:
    void show_kind();
    void browse();

    QComboBox* kind_;
    QDateTimeEdit* moment_;
    QLineEdit* file_;
    QWidget* file_box_;
};

// What differs between two captures of the regions. Changes nothing.
class CompareDialog : public TaskDialog {
    Q_OBJECT
  public:
    // `before`: the moment that is offered to begin with; none: an hour ago.
    CompareDialog(Workspace& workspace, std::optional<Timestamp> before, QWidget* parent);
    ~CompareDialog() override;  // ends what is being read

    CaptureChooser& before() { return *before_; }
    CaptureChooser& after() { return *after_; }
    void start();
    const RegionComparison& comparison() const { return comparison_; }
    void show_view(int view);  // 0: regions, then programs, workers, users

  Q_SIGNALS:
    void compared(bool done);

  private:
    struct Compared {
        RegionComparison comparison;
        std::vector<DifferenceModel::Ptr> rows;
        std::uint64_t not_known = 0;
    };
    struct Reader;
    void build_table();
    void check();
    void take(Result<Compared> found);
    void forget();
    void export_shown();

    std::shared_ptr<Reader> reader_;  // shared with the worker
    CaptureChooser *before_, *after_;
    QLabel* summary_;
    ChoiceRow* view_;
    DifferenceModel* differences_;
    ComparedTotalModel* totals_;
    TableView *regions_table_, *totals_table_;
    QStackedWidget* tables_;
    QProgressBar* busy_;
    QPushButton *run_, *export_;
    RegionComparison comparison_;
    Background background_;  // last: its thread ends before the rest goes
};

}  // namespace snakepit::shm::ui
