// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>
#include <vector>

#include "ui/models/policy_preview.h"
#include "ui/models/severity.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QPushButton;
class QStackedWidget;
class QTableWidget;
class QToolButton;

namespace snakepit::shm::ui {

class Card;
class Workspace;

// A policy as fields: permissions, rules, and what is required of users of the region.
class PolicyEditor : public QWidget {
    Q_OBJECT
  public:
    explicit PolicyEditor(Workspace& workspace, QWidget* parent = nullptr);

    // Shows the report's policy, and remembers what it takes to edit it.
    void load(const PolicyReport& report, const PolicyText& words, const KnownNames& names);
    const Policy& policy() const { return policy_; }
    // What the manager would refuse; empty: nothing.
    const QString& problem() const { return problem_; }
    void show_findings(const std::vector<PolicyFinding>& findings);
    // Marks what a refusal names ("rules[1].user"), if it names something.
    void mark(const QString& refusal);

  Q_SIGNALS:
    void edited();

  private:
    QWidget* build_permissions();
    QWidget* build_rules();
    QWidget* build_flags();
    void apply_permissions();
    void show_rules();
    void check();
    void edit_rule(int row);
    void remove_rules();
    void mark_row(int row, Severity severity, const QString& why);

    Workspace& workspace_;
    PolicyReport report_;
    KnownNames names_;
    Policy policy_;
    QString problem_;
    bool loading_ = false;
    std::array<QLabel*, 3> classes_{};
    std::array<QComboBox*, 3> permissions_{};
    Card* rules_card_;
    QTableWidget* rules_;
    QStackedWidget* stack_;
    QToolButton *add_, *edit_, *remove_;
    QCheckBox *encryption_, *audit_;
    QLabel* encryption_note_;
    QLabel* findings_;
};

}  // namespace snakepit::shm::ui
