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

enum Column { kSeverity, kAlert, kSubject, kSince };
constexpr int kTallest = 8;  // rows; more of them are scrolled

}  // namespace

AcknowledgeDialog::AcknowledgeDialog(Workspace& workspace, std::vector<Alert> alerts,
                                     QWidget* parent)
    : TaskDialog(tr("Acknowledge"),
                 tr("Tells everybody that you look after it. It stays in the list until its "
                    "condition is mended, and is announced no more."),
                 parent),
      workspace_(workspace),
      alerts_(std::move(alerts)),
      comment_(new QLineEdit),
      run_(make_primary(tr("Acknowledge"))) {
    const int rows = static_cast<int>(alerts_.size());
    resize(760, 350 + 32 * std::min(rows, kTallest));
    auto* table = add_table({tr("Severity"), tr("Alert"), tr("About"), tr("Since")});
    table->setColumnWidth(kSeverity, 96);
    table->setColumnWidth(kAlert, 250);
    table->setColumnWidth(kSubject, 210);
    table->setRowCount(rows);
    int row = 0;
    for (const auto& alert : alerts_) {
        set_cell(table, row, kSeverity, severity_title(alert.severity),
                 severity_tone(alert.severity));
        set_cell(table, row, kAlert, alert_title(alert));
        set_cell(table, row, kSubject, subject_text(alert.subject), Tone::none, false,
                 is_about_region(alert));
        set_cell(table, row++, kSince, since_text(alert.since, shown_now()));
    }
    comment_->setPlaceholderText(tr("What you know or do about it (optional)"));
    comment_->setAccessibleName(tr("Comment"));
    comment_->setMaxLength(400);
    body()->addWidget(comment_);
    add_command_line();
    add_action(run_)->setDefault(true);
    connect(comment_, &QLineEdit::textChanged, this, &AcknowledgeDialog::show_command);
    connect(run_, &QPushButton::clicked, this, &AcknowledgeDialog::run);
    show_command();
    comment_->setFocus();
}

void AcknowledgeDialog::show_command() {
    std::vector<std::uint64_t> ids;
    for (const auto& alert : alerts_) ids.push_back(alert.id);
    set_command(workspace_.command(acknowledge_words(ids, comment_->text().trimmed())));
}

void AcknowledgeDialog::run() {
    run_->setEnabled(false);
    std::vector<std::uint64_t> ids;
    for (const auto& alert : alerts_) ids.push_back(alert.id);
    const auto job =
        [ids, comment = comment_->text().trimmed().toStdString()](MonitoringPort& port) -> Status {
        for (const auto id : ids) {
            SHM_TRY(port.acknowledge(id, comment));
        }
        return {};
    };
    workspace_.monitor(this, job, [this](const Status& done) {
        Q_EMIT finished_run();
        close_or_say(done, run_);
    });
}

}  // namespace snakepit::shm::ui
