// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>
#include <optional>

#include "ui/models/policy_preview.h"
#include "ui/pages/widgets.h"

class QComboBox;
class QLineEdit;
class QStackedWidget;
class QTableWidget;

namespace snakepit::shm::ui {

// What somebody may do now and would under the policy being edited, by which rule; and who of those
// connected would notice.
class WhatIfPanel : public QWidget {
    Q_OBJECT
  public:
    explicit WhatIfPanel(QWidget* parent = nullptr);

    void load(const PolicyReport& report, const KnownNames& names);
    std::optional<PreviewSubject> who() const;  // nothing: nobody is named
    void show_preview(const PolicyPreview& preview, const Policy& now, const Policy& then);

  Q_SIGNALS:
    void asked();

  private:
    struct Cell {
        QLabel* chip;
        ElidedLabel* reason;
    };
    QWidget* build_question();
    QWidget* build_answer();
    QWidget* build_changes();
    void choose();
    void show_cell(const Cell& cell, const Verdict& verdict, const Policy& policy,
                   bool changed) const;
    void show_changes(const std::vector<PolicyChange>& changes, const Policy& then);

    QComboBox* who_;
    QWidget* fields_;
    QLineEdit *user_, *group_, *program_, *process_;
    QLabel* problem_;
    QWidget* answer_;
    QLabel* role_;
    std::array<std::array<Cell, 2>, 3> cells_{};  // read, write, manage; now, then
    QTableWidget* changes_;
    QStackedWidget* stack_;
};

}  // namespace snakepit::shm::ui
