// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/cleanup_dialog.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QTableWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

enum Column { kRegion, kBytes, kVerdict, kHolders, kReason };

QString holders_of(const RegionEntry* entry) {
    return entry ? region_display(entry->row, kColumnHeldBy, shown_now()) : QStringLiteral("–");
}

QString verdict_of(const CleanupItem& item, bool done) {
    if (!item.removed) return CleanupDialog::tr("stays");
    if (item.quarantined)
        return done ? CleanupDialog::tr("quarantined") : CleanupDialog::tr("quarantine");
    return done ? CleanupDialog::tr("removed") : CleanupDialog::tr("goes");
}

QString done_text(const CleanupResult& result) {
    if (result.quarantined == 0)
        return CleanupDialog::tr("Removed %1, %2 freed.")
            .arg(counted(result.removed, "region", "regions"), size_text(result.bytes_freed));
    return CleanupDialog::tr(
               "Removed %1. %2 of them can still be restored from the list of regions; their %3 "
               "are freed when the quarantine is over.")
        .arg(counted(result.removed, "region", "regions"), count_text(result.quarantined),
             size_text(result.bytes_quarantined));
}

}  // namespace

CleanupDialog::CleanupDialog(Workspace& workspace, Scope scope, QWidget* parent)
    : TaskDialog(tr("Clean up"),
                 tr("A rehearsal first: nothing is removed until you have seen the plan. What runs "
                    "then is exactly "
                    "this plan, and each region is checked again at that moment."),
                 parent),
      workspace_(workspace),
      scope_(new QComboBox),
      run_(make_primary(tr("Remove"))) {
    scope_->addItem(tr("What is due by its cleanup policy"), int(Scope::due));
    scope_->addItem(tr("Orphans: the owner is gone and nobody holds them"), int(Scope::orphans));
    scope_->addItem(tr("Expired: unused for longer than their timeout"), int(Scope::expired));
    scope_->addItem(tr("Every region nobody holds, whatever its policy"), int(Scope::all_eligible));
    scope_->setCurrentIndex(static_cast<int>(scope));
    scope_->setAccessibleName(tr("What to clean up"));
    auto* again = make_button(QStringLiteral("refresh"), tr("Rehearse again"));
    auto* row = new QHBoxLayout;
    row->addWidget(scope_, 1);
    row->addWidget(again);
    body()->addLayout(row);
    table_ = add_table({tr("Region"), tr("Frees"), tr("Plan"), tr("Held by"), tr("Reason")});
    table_->setColumnWidth(kRegion, 264);
    table_->setColumnWidth(kBytes, 90);
    table_->setColumnWidth(kVerdict, 110);
    table_->setColumnWidth(kHolders, 220);
    add_command_line();
    add_action(run_)->setEnabled(false);
    connect(scope_, &QComboBox::currentIndexChanged, this, &CleanupDialog::rehearse);
    connect(again, &QPushButton::clicked, this, &CleanupDialog::rehearse);
    connect(run_, &QPushButton::clicked, this, &CleanupDialog::run_plan);
    rehearse();
}

CleanupRequest CleanupDialog::request() const {
    CleanupRequest request;
    const auto scope = static_cast<Scope>(scope_->currentData().toInt());
    request.due = scope == Scope::due;
    request.orphans = scope == Scope::orphans;
    request.expired = scope == Scope::expired;
    request.all_eligible = scope == Scope::all_eligible;
    return request;
}

QString CleanupDialog::command(bool dry_run) const {
    QString words = QStringLiteral("cleanup");
    if (request().orphans) words += QStringLiteral(" --orphans");
    if (request().expired) words += QStringLiteral(" --expired");
    if (request().all_eligible) words += QStringLiteral(" --all-eligible");
    return workspace_.command(words + (dry_run ? QStringLiteral(" --dry-run") : QString()));
}

void CleanupDialog::rehearse() {
    set_command(command(true));
    set_message(tr("Rehearsing…"), Tone::neutral);
    run_->setEnabled(false);
    auto rehearsal = request();
    rehearsal.dry_run = true;
    workspace_.act(
        this, [rehearsal](ManagerPort& port) { return port.cleanup(rehearsal); },
        [this, token = latest_.next()](Result<CleanupResult> plan) {
            if (!latest_.is(token)) return;
            if (plan) {
                plan_ = std::move(*plan);
                show_plan(plan_, false);
            } else {
                plan_ = {};
                table_->setRowCount(0);
                set_message(error_text(plan.error()), Tone::bad);
            }
            Q_EMIT rehearsed();
        });
}

void CleanupDialog::show_plan(const CleanupResult& plan, bool done) {
    table_->setRowCount(static_cast<int>(plan.items.size()));
    int row = 0;
    for (const auto& item : plan.items) {
        set_cell(table_, row, kRegion, QString::fromStdString(item.id.str()), Tone::none, false,
                 true);
        set_cell(table_, row, kBytes, size_text(item.bytes), Tone::none, true);
        set_cell(table_, row, kVerdict, verdict_of(item, done),
                 item.removed ? (done ? Tone::good : Tone::caution) : Tone::neutral);
        set_cell(table_, row, kHolders, holders_of(workspace_.regions().find(item.id)));
        set_cell(table_, row++, kReason, QString::fromStdString(item.reason));
    }
    const auto goes = counted(plan.removed, "region", "regions");
    if (done) {
        set_message(done_text(plan), Tone::good);
        run_->setEnabled(false);
        closer()->setText(tr("Close"));
        return;
    }
    run_->setEnabled(plan.removed > 0);
    run_->setText(plan.removed ? tr("Remove %1").arg(goes) : tr("Remove"));
    set_message(
        plan.removed
            ? tr("%1 would go and free %2. %3 would stay.")
                  .arg(goes, size_text(plan.bytes_freed + plan.bytes_quarantined),
                       count_text(plan.items.size() - static_cast<std::size_t>(plan.removed)))
            : tr("There is nothing to clean up here."),
        plan.removed ? Tone::info : Tone::neutral);
}

void CleanupDialog::run_plan() {
    auto order = request();
    for (const auto& item : plan_.items)
        if (item.removed) order.only.push_back(item.id);
    run_->setEnabled(false);
    set_command(command(false));
    set_message(tr("Running the plan…"), Tone::neutral);
    workspace_.act(
        this, [order](ManagerPort& port) { return port.cleanup(order); },
        [this, token = latest_.next()](Result<CleanupResult> result) {
            if (!latest_.is(token)) return;
            if (result)
                show_plan(*result, true);
            else
                set_message(error_text(result.error()), Tone::bad);
            Q_EMIT finished_run();
        });
}

}  // namespace snakepit::shm::ui
