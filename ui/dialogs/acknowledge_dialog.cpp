// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/acknowledge_dialog.h"

#include <QLineEdit>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/models/alert_text.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kTallest = 8;  // rows; more of them are scrolled

}  // namespace

AcknowledgeDialog::AcknowledgeDialog(Workspace& workspace, std::vector<Alert> alerts,
                                     QWidget* parent)
    : TaskDialog(workspace, tr("Acknowledge"),
                 tr("Acknowledging shows other users that the alert is being handled and stops its "
                    "notifications. The alert stays in the list until it is resolved."),
                 parent),
      alerts_(std::move(alerts)),
      comment_(new QLineEdit),
      run_(make_primary(tr("Acknowledge"))) {
    const int rows = static_cast<int>(alerts_.size());
    resize(760, 350 + 32 * std::min(rows, kTallest));
    auto* table =
        add_table({{tr("Severity"), 96}, {tr("Alert"), 250}, {tr("About"), 210}, {tr("Since")}});
    table->setRowCount(rows);
    int row = 0;
    for (const auto& alert : alerts_) {
        set_row(table, row++,
                {{severity_title(alert.severity), severity_of(alert.severity)},
                 {alert_title(alert)},
                 {subject_text(alert.subject), Severity::none, false, is_about_region(alert)},
                 {since_text(alert.since, shown_now())}});
    }
    comment_->setPlaceholderText(tr("Comment (optional)"));
    comment_->setAccessibleName(tr("Comment"));
    comment_->setMaxLength(400);
    body()->addWidget(comment_);
    add_command_line();
    add_action(run_, this, &AcknowledgeDialog::run)->setDefault(true);
    connect(comment_, &QLineEdit::textChanged, this, &AcknowledgeDialog::show_command);
    show_command();
    comment_->setFocus();
}

std::vector<std::uint64_t> AcknowledgeDialog::ids() const {
    std::vector<std::uint64_t> ids;
    for (const auto& alert : alerts_) ids.push_back(alert.id);
    return ids;
}

void AcknowledgeDialog::show_command() {
    set_command(workspace_.command(acknowledge_words(ids(), comment_->text().trimmed())));
}

void AcknowledgeDialog::run() {
    run_and_close(run_,
                  [ids = ids(), comment = comment_->text().trimmed().toStdString()](
                      MonitoringPort& port) -> Status {
                      for (const auto id : ids) {
                          SHM_TRY(port.acknowledge(id, comment));
                      }
                      return {};
                  });
}

}  // namespace snakepit::shm::ui
