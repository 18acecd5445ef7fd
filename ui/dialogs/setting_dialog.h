// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/dialogs/task_dialog.h"
#include "ui/models/configuration.h"

class QComboBox;
class QLineEdit;

namespace snakepit::shm::ui {

// Changes one key of the configuration file. What is typed is checked at once, with the whole file.
class SettingDialog : public TaskDialog {
    Q_OBJECT
  public:
    SettingDialog(Workspace& workspace, const Configuration& configuration, const Setting& setting,
                  QWidget* parent);

  Q_SIGNALS:
    void changed(const SettingChange& change);

  protected:
    bool has_changes() const override;

  private:
    void add_facts();
    void add_editor();
    QString typed() const;
    void check();
    void run();

    Setting setting_;
    std::string file_, text_;
    QComboBox* choice_ = nullptr;  // of a flag
    QLineEdit* line_ = nullptr;    // of all others
    QPushButton* run_;
};

}  // namespace snakepit::shm::ui
