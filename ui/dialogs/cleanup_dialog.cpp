// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/cleanup_dialog.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QTableWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::size_t kKeptShown = 20;  // more of them are folded at first

QString verdict_of(const CleanupItem& item, bool done) {
    if (!item.removed) return done ? CleanupDialog::tr("kept") : CleanupDialog::tr("keep");
    if (item.quarantined)
        return done ? CleanupDialog::tr("quarantined") : CleanupDialog::tr("quarantine");
    return done ? CleanupDialog::tr("removed") : CleanupDialog::tr("remove");
}

QString done_text(const CleanupResult& result) {
    if (result.quarantined == 0)
        return CleanupDialog::tr("Removed %1 and freed %2.")
            .arg(pluralize(result.removed, "region", "regions"), size_text(result.bytes_freed));
    return CleanupDialog::tr(
               "Removed %1. %2 of them can still be restored on the Regions page; their %3 are "
               "freed when the quarantine ends.")
        .arg(pluralize(result.removed, "region", "regions"), count_text(result.quarantined),
             size_text(result.bytes_quarantined));
}

}  // namespace

CleanupDialog::CleanupDialog(Workspace& workspace, Scope scope, QWidget* parent)
    : TaskDialog(workspace, tr("Clean up"),
                 tr("Nothing is removed before the plan below is confirmed. Exactly this plan is "
                    "then run, and each region is checked again."),
                 parent),
      scope_(new QComboBox),
      run_(make_primary(tr("Remove"))) {
    scope_->addItem(tr("Regions due by their cleanup policy"), int(Scope::due));
    scope_->addItem(tr("Orphans: regions whose owner has exited and that no process holds"),
                    int(Scope::orphans));
    scope_->addItem(tr("Expired: regions unused for longer than their timeout"),
                    int(Scope::expired));
    scope_->addItem(tr("All regions that no process holds, whatever their cleanup policy"),
                    int(Scope::all_eligible));
    scope_->setCurrentIndex(static_cast<int>(scope));
    scope_->setAccessibleName(tr("Regions to clean up"));
    auto* again = make_button(u"refresh"_s, tr("Refresh plan"), this, &CleanupDialog::rehearse);
    body()->addLayout(make_row({scope_, again}, scope_));
    table_ = add_table({{tr("Region"), 264}, {tr("Frees"), 90}, {tr("Plan"), 110}, {tr("Reason")}});
    kept_ = new QCheckBox;
    body()->addWidget(kept_);
    connect(kept_, &QCheckBox::toggled, this, &CleanupDialog::fold_kept);
    add_command_line();
    add_action(run_, this, &CleanupDialog::run_plan)->setEnabled(false);
    connect(scope_, &QComboBox::currentIndexChanged, this, &CleanupDialog::rehearse);
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
    QString words = u"cleanup"_s;
    if (request().orphans) words += u" --orphans"_s;
    if (request().expired) words += u" --expired"_s;
    if (request().all_eligible) words += u" --all-eligible"_s;
    return workspace_.command(words + (dry_run ? u" --dry-run"_s : QString()));
}

void CleanupDialog::rehearse() {
    set_command(command(true));
    set_message(tr("Planning…"), Severity::neutral);
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
                set_message(error_text(plan.error()), Severity::bad);
            }
            Q_EMIT rehearsed();
        });
}

void CleanupDialog::show_plan(const CleanupResult& plan, bool done) {
    going_ = static_cast<int>(plan.removed);
    const auto kept = plan.items.size() - static_cast<std::size_t>(plan.removed);
    kept_->setText(tr("Show what is kept: %1").arg(pluralize(kept, "region", "regions")));
    kept_->setVisible(kept > 0);
    if (!done) kept_->setChecked(kept <= kKeptShown || plan.removed == 0);
    // What goes stands first.
    auto items = plan.items;
    std::stable_partition(items.begin(), items.end(),
                          [](const CleanupItem& item) { return item.removed; });
    table_->setRowCount(static_cast<int>(items.size()));
    int row = 0;
    for (const auto& item : items) {
        set_row(table_, row++,
                {id_cell(item.id.str()),
                 number_cell(size_text(item.bytes)),
                 {verdict_of(item, done), !item.removed ? Severity::neutral
                                          : done        ? Severity::good
                                                        : Severity::caution},
                 {QString::fromStdString(item.reason)}});
    }
    fold_kept();
    const auto goes = pluralize(plan.removed, "region", "regions");
    if (done) {
        set_message(done_text(plan), Severity::good);
        run_->setEnabled(false);
        closer()->setText(tr("Close"));
        return;
    }
    run_->setEnabled(plan.removed > 0);
    run_->setText(plan.removed ? tr("Remove %1").arg(goes) : tr("Remove"));
    auto text =
        tr("%1 will be removed, freeing %2. %3 will be kept.")
            .arg(goes, size_text(plan.bytes_freed + plan.bytes_quarantined), count_text(kept));
    if (plan.quarantined > 0)
        text += u' ' + tr("%1 of them go to quarantine first: they can be restored until it ends, "
                          "and their %2 are freed then.")
                           .arg(count_text(plan.quarantined), size_text(plan.bytes_quarantined));
    set_message(plan.removed ? text : tr("Nothing to clean up."),
                plan.removed ? Severity::info : Severity::neutral);
}

void CleanupDialog::fold_kept() {
    for (int row = 0; row < table_->rowCount(); ++row)
        table_->setRowHidden(row, row >= going_ && !kept_->isChecked());
}

void CleanupDialog::run_plan() {
    auto order = request();
    for (const auto& item : plan_.items)
        if (item.removed) order.only.push_back(item.id);
    run_->setEnabled(false);
    set_command(command(false));
    set_message(tr("Running the plan…"), Severity::neutral);
    workspace_.act(
        this, [order](ManagerPort& port) { return port.cleanup(order); },
        [this, token = latest_.next()](Result<CleanupResult> result) {
            if (!latest_.is(token)) return;
            if (result)
                show_plan(*result, true);
            else
                set_message(error_text(result.error()), Severity::bad);
            Q_EMIT finished_run();
        });
}

}  // namespace snakepit::shm::ui
