// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/deallocate_dialog.h"

#include <QCheckBox>
#include <QPushButton>
#include <QTableWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/format.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

enum Column { kHolders = 3, kOutcome };

bool held(const RegionInfo& info) {
    return info.reference_count > 0;
}

}  // namespace

DeallocateDialog::DeallocateDialog(Workspace& workspace, std::vector<RegionInfo> targets,
                                   QWidget* parent)
    : TaskDialog(workspace, tr("Deallocate"),
                 tr("A region that no process holds is freed immediately. A region that is held is "
                    "withdrawn: no other process can map it, and its memory is freed with the last "
                    "reference."),
                 parent),
      targets_(std::move(targets)),
      force_(new QCheckBox(tr("Force: revoke the memory from its holders now"))),
      run_(make_danger({})) {
    table_ = add_table({{tr("Region"), 264},
                        {tr("Size"), 90},
                        {tr("State"), 100},
                        {tr("Held by"), 220},
                        {tr("Result")}});
    force_->setVisible(std::any_of(targets_.begin(), targets_.end(), held));
    body()->addWidget(force_);
    add_command_line();
    add_action(run_, this, &DeallocateDialog::run);
    connect(force_, &QCheckBox::toggled, this, &DeallocateDialog::explain);
    show_targets();
    explain();
    ask_holders();
}

void DeallocateDialog::show_targets() {
    table_->setRowCount(static_cast<int>(targets_.size()));
    int row = 0;
    for (const auto& info : targets_) {
        set_row(table_, row,
                {id_cell(info.id.str()),
                 number_cell(size_text(info.size)),
                 {plain_text(info.state), severity_of(info.state)}});
        show_holders(row++, info);
    }
}

void DeallocateDialog::show_holders(int row, const RegionInfo& info) {
    auto names = holders_text(info.references);
    if (names.isEmpty())
        names =
            held(info) ? pluralize(info.reference_count, "reference", "references") : tr("none");
    set_cell(table_, row, kHolders, {names});
}

// The registry names five holders; the manager knows them all.
void DeallocateDialog::ask_holders() {
    std::vector<RegionId> ids;
    for (const auto& info : targets_) ids.push_back(info.id);
    const auto job = [ids](ManagerPort& port) {
        std::vector<Result<RegionInfo>> infos;
        for (const auto& id : ids) infos.push_back(port.info(id));
        return infos;
    };
    workspace_.ask(this, job, [this](const std::vector<Result<RegionInfo>>& infos) {
        if (pending_ > 0) return;
        for (std::size_t i = 0; i < infos.size(); ++i) {
            if (!infos[i]) continue;
            targets_[i] = *infos[i];
            show_holders(static_cast<int>(i), targets_[i]);
        }
        explain();
    });
}

void DeallocateDialog::explain() {
    QString words = u"deallocate"_s;
    std::uint64_t bytes = 0;
    int row = 0;
    for (const auto& info : targets_) {
        words += u' ' + QString::fromStdString(info.id.str());
        bytes += info.size;
        const auto fate = !held(info)           ? tr("freed immediately")
                          : force_->isChecked() ? tr("revoked and overwritten with zeros")
                                                : tr("withdrawn, freed with the last reference");
        set_cell(table_, row++, kOutcome, {fate});
    }
    if (force_->isChecked()) words += u" --force"_s;
    set_command(workspace_.command(words));
    run_->setText(tr("Deallocate %1 (%2)")
                      .arg(pluralize(targets_.size(), "region", "regions"), size_text(bytes)));
    set_message(force_->isChecked()
                    ? tr("Programs that use these regions will read zeros from then on.")
                    : QString(),
                Severity::bad);
}

void DeallocateDialog::run() {
    run_->setEnabled(false);
    force_->setEnabled(false);
    pending_ = static_cast<int>(targets_.size());
    int row = 0;
    for (const auto& info : targets_) {
        set_cell(table_, row, kOutcome, {u"…"_s});
        workspace_.act(
            this,
            [id = info.id, force = force_->isChecked()](ManagerPort& port) {
                return port.deallocate(id, force);
            },
            [this, row](const Result<bool>& outcome) { show_outcome(row, outcome); });
        ++row;
    }
}

void DeallocateDialog::show_outcome(int row, const Result<bool>& outcome) {
    if (outcome)
        set_cell(
            table_, row, kOutcome,
            {*outcome ? tr("freed") : tr("withdrawn"), *outcome ? Severity::good : Severity::info});
    else
        set_cell(table_, row, kOutcome, {error_text(outcome.error())});
    if (!outcome) ++failed_;
    if (--pending_ > 0) return;
    closer()->setText(tr("Close"));
    const auto all = static_cast<int>(targets_.size());
    set_message(failed_
                    ? tr("%1 of %2 failed; see the table for the reasons.").arg(failed_).arg(all)
                    : tr("Done."),
                failed_ ? Severity::bad : Severity::good);
    Q_EMIT finished_run();
}

}  // namespace snakepit::shm::ui
