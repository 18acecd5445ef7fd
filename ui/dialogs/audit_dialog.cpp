// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/audit_dialog.h"

#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/dialogs/report_dialog.h"
#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

QString row_count(std::int64_t rows) {
    return count_text(static_cast<std::uint64_t>(std::max<std::int64_t>(rows, 0)));
}

QString range_text(std::int64_t first, std::int64_t last) {
    if (first == 0 && last == 0) return QObject::tr("none");
    return first == last ? row_count(first)
                         : QObject::tr("%1 to %2").arg(row_count(first), row_count(last));
}

QString event_name(const std::string& kind) {
    const auto known = parse_event_kind(kind);
    return known ? event_title(*known) : to_qstring(kind);
}

}  // namespace

AuditDialog::AuditDialog(Workspace& workspace, QWidget* parent)
    : TaskDialog(workspace, tr("Verify the history"),
                 tr("Events form a hash chain that this instance signs. Verification reads all of "
                    "it and lists every row that was changed, removed, added or moved."),
                 parent),
      again_(make_button(u"refresh"_s, tr("Verify again"))),
      export_(make_button(u"export"_s, tr("Export audit report…"))) {
    fit(820);
    body()->addWidget(build_verdict());
    findings_ = add_table({{tr("Problem"), 110},
                           {tr("Rows"), 120},
                           {tr("Time"), 184},
                           {tr("Event"), 130},
                           {tr("Finding")}});
    findings_->setMinimumHeight(150);
    findings_card_ = findings_->parentWidget();
    findings_card_->hide();
    add_command_line();
    set_command(workspace_.command(u"audit verify"_s));
    add_action(export_);
    add_action(again_, this, &AuditDialog::verify);
    closer()->setText(tr("Close"));
    connect(export_, &QPushButton::clicked, this,
            [this] { (new ReportDialog(workspace_, {}, this))->open(); });
    export_->setFocus();
    verify();
}

QLabel* AuditDialog::add_row(QFormLayout* form, const QString& name, bool mono) {
    auto* value = add_fact(form, name);
    if (mono) value->setFont(Theme::instance().monospace());
    return value;
}

QWidget* AuditDialog::build_verdict() {
    auto* card = new Card;
    auto* column = new QVBoxLayout;
    column->setContentsMargins(18, 16, 18, 16);
    column->setSpacing(10);
    auto* head = new QHBoxLayout;
    head->addWidget(state_ = make_sign());
    head->addStretch();
    column->addLayout(head);
    summary_ = make_words();
    column->addWidget(summary_);
    busy_ = make_busy();
    column->addWidget(busy_);
    facts_ = new QWidget;
    auto* form = new QFormLayout(facts_);
    form->setContentsMargins(0, 4, 0, 0);
    form->setHorizontalSpacing(18);
    form->setVerticalSpacing(6);
    proven_ = add_row(form, tr("Proven rows"));
    rows_ = add_row(form, tr("Rows in the database"));
    checkpoints_ = add_row(form, tr("Signed checkpoints"));
    removed_ = add_row(form, tr("Removed by retention"));
    key_ = add_row(form, tr("Signed by"), true);
    notes_ = add_row(form, tr("Notes"));
    column->addWidget(facts_);
    column->addStretch();
    card->body()->addLayout(column);
    return card;
}

void AuditDialog::verify() {
    again_->setEnabled(false);
    busy_->show();
    facts_->hide();
    findings_card_->hide();
    set_message({}, Severity::none);
    set_chip(state_, tr("verifying"), Severity::neutral);
    say(summary_, tr("Reading the history from the first row…"));
    workspace_.audit(
        this, [](AuditPort& port) { return port.verify(); },
        [this](const Result<AuditVerdict>& verdict) {
            busy_->hide();
            again_->setEnabled(true);
            if (verdict) {
                show_verdict(*verdict);
            } else {
                set_chip(state_, tr("not verified"), Severity::caution);
                say(summary_, tr("The history could not be read completely."));
                set_message(error_text(verdict.error()), Severity::bad);
            }
            Q_EMIT verified();
        });
}

void AuditDialog::show_verdict(const AuditVerdict& verdict) {
    const bool clean = verdict.clean();
    set_chip(state_, clean ? tr("genuine") : tr("not genuine"),
             clean ? Severity::good : Severity::bad);
    say(summary_, capitalised(to_qstring(verdict.summary())));
    say(proven_, range_text(verdict.proven_first, verdict.proven_last));
    auto rows = range_text(verdict.first, verdict.last);
    if (verdict.unchained > 0)
        rows += tr("; %1 of them are older than the chain").arg(row_count(verdict.unchained));
    say(rows_, rows);
    say(checkpoints_, row_count(verdict.checkpoints));
    say(removed_, verdict.removed_up_to == 0
                      ? tr("none")
                      : tr("up to row %1, last on %2")
                            .arg(row_count(verdict.removed_up_to), clock_text(verdict.removed_at)));
    say(key_, QString::fromStdString(to_hex(verdict.key)));
    QStringList notes;
    for (const auto& note : verdict.notes) notes << to_qstring(note);
    say_lines(notes_, notes.isEmpty() ? tr("The key is stored beside the history that it proves: "
                                           "compare it with a copy kept in a safe place.")
                                      : notes.join(u'\n'));
    facts_->show();
    show_findings(verdict);
}

void AuditDialog::show_findings(const AuditVerdict& verdict) {
    findings_card_->setVisible(!verdict.clean());
    if (verdict.clean()) return;
    findings_->setRowCount(static_cast<int>(verdict.findings.size()));
    int row = 0;
    for (const auto& finding : verdict.findings) {
        set_row(findings_, row++,
                {{to_qstring(to_string(finding.problem)).replace(u'_', u' '), Severity::bad},
                 {range_text(finding.first, finding.last)},
                 {finding.time.micros ? clock_text(finding.time) : QString(), Severity::none, false,
                  true},
                 {event_name(finding.kind)},
                 {to_qstring(finding.what)}});
    }
    if (verdict.problems > verdict.findings.size())
        set_message(tr("%1 problems were found; the first %2 are listed.")
                        .arg(count_text(verdict.problems), count_text(verdict.findings.size())),
                    Severity::bad);
}

}  // namespace snakepit::shm::ui
