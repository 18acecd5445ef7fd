// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>

#include "ui/dialogs/task_dialog.h"
#include "ui/models/sources.h"

class QButtonGroup;
class QComboBox;
class QDateTimeEdit;
class QGridLayout;
class QLabel;
class QLineEdit;
class QProgressBar;
class QTimer;

namespace snakepit::shm::ui {

// Writes what happened, or a part of it, as a signed file.
class ReportDialog : public TaskDialog {
    Q_OBJECT
  public:
    // `shown`: its kind and region are chosen to begin with.
    ReportDialog(Workspace& workspace, const EventQuery& shown, QWidget* parent);
    ~ReportDialog() override;  // ends what is being written

    void set_format(ReportFormat format);
    void set_file(const QString& file);
    // Writes it; if the file exists, the first call asks instead.
    void start();

  Q_SIGNALS:
    void finished_run(bool written);

  private:
    void add_formats();
    void add_period();
    void add_filters(const EventQuery& shown);
    void add_file();
    void add_row(const QString& name, QWidget* field);
    ReportFormat format() const;
    void choose_file();
    void check();
    EventQuery filter() const;
    QString command() const;
    void show_progress();
    void finish(const Result<PublicKey>& signer);

    QGridLayout* grid_;
    QButtonGroup* formats_;
    QLabel* format_note_;
    QComboBox *period_, *kind_;
    QWidget* between_;
    QDateTimeEdit *since_, *until_;
    QLineEdit *user_, *region_, *file_;
    QLabel *region_problem_, *period_problem_;
    QProgressBar* busy_;
    QPushButton *run_, *open_;
    QTimer* clock_;
    QString replaced_;  // the file that may be replaced: the person was asked
    std::shared_ptr<ReportProgress> progress_;  // while one is written
};

}  // namespace snakepit::shm::ui
