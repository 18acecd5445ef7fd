// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLineEdit>
#include <map>

#include "base/policy.h"
#include "ui/dialogs/task_dialog.h"
#include "ui/models/background.h"
#include "ui/models/policy_preview.h"

class QCheckBox;
class QTimer;

namespace snakepit::shm::ui {

// One rule of a policy: whom it is for and what it allows. Says at each field what is wrong with
// it, and what is probably not meant.
class RuleDialog : public TaskDialog {
    Q_OBJECT
  public:
    RuleDialog(Workspace& workspace, const PolicyRule& rule, const KnownNames& names,
               const PolicyReport& report, QWidget* parent);

  Q_SIGNALS:
    void decided(const snakepit::shm::PolicyRule& rule);

  protected:
    bool has_changes() const override { return rule() != opened_; }

  private:
    QLineEdit* add_field(const char* key, const QString& title, const QString& hint,
                         const QString& value);
    void add_rights();
    void choose_program();
    PolicyRule rule() const;
    void check();  // at once: what is wrong
    void ask();    // a little later: what the system knows of it
    void show_note(const std::string& key, const QString& text, Severity severity);

    PolicyRule before_, opened_;  // as it is set, as it was shown first
    PolicyReport report_;
    QLineEdit *user_, *group_, *program_, *process_;
    QCheckBox *read_, *write_, *manage_;
    std::map<std::string, QLabel*> notes_;  // below each field, by its name in a policy
    QPushButton* done_;
    QTimer* rest_;
    Latest latest_;
};

}  // namespace snakepit::shm::ui
