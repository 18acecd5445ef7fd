// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "base/ids.h"
#include "ui/dialogs/task_dialog.h"
#include "ui/models/background.h"
#include "ui/models/policy_preview.h"

class QBoxLayout;
class QLabel;
class QStackedWidget;
class QTimer;

namespace snakepit::shm::ui {

class PolicyEditor;
class WhatIfPanel;

// Who may do what with one region: shown, edited and tried out before it is saved.
class PolicyDialog : public TaskDialog {
    Q_OBJECT
  public:
    PolicyDialog(Workspace& workspace, const RegionId& id, QWidget* parent);

    PolicyEditor& editor() { return *editor_; }
    WhatIfPanel& what_if() { return *what_if_; }

  Q_SIGNALS:
    void loaded();
    void previewed();  // the answers are those to what is shown now
    void saved(bool done);

  protected:
    void resizeEvent(QResizeEvent* event) override;
    bool has_changes() const override { return changed() && report_->readable; }

  private:
    void load();
    void show_permissions();
    void receive(const PolicyReport& report, const PolicyText& words, const KnownNames& names);
    void check();
    void preview();
    void save();
    void receive_overtaken(const PolicyReport& report);
    void receive_saved(const Result<PolicyReport>& result);
    bool changed() const;

    RegionId id_;
    std::optional<PolicyReport> report_;
    PolicyEditor* editor_;
    WhatIfPanel* what_if_;
    QBoxLayout* halves_ = nullptr;
    QStackedWidget* stack_;
    QLabel* waiting_;
    QPushButton* save_;
    QTimer* rest_;
    Latest latest_;
    bool saving_ = false;
};

}  // namespace snakepit::shm::ui
