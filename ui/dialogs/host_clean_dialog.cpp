// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/host_clean_dialog.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QTableWidget>

#include "ui/models/format.h"
#include "ui/models/host_text.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

enum Scope { kSelected, kLeftOver };

QString plan_text(const HostCleanItem& item, bool done) {
    if (done)
        return item.removed     ? HostCleanDialog::tr("removed")
               : item.removable ? HostCleanDialog::tr("failed")
                                : HostCleanDialog::tr("kept");
    return item.removable ? HostCleanDialog::tr("remove") : HostCleanDialog::tr("keep");
}

Severity plan_severity(const HostCleanItem& item, bool done) {
    if (done && item.removed) return Severity::good;
    if (!item.removable) return Severity::neutral;
    return done ? Severity::bad : Severity::caution;
}

}  // namespace

HostCleanDialog::HostCleanDialog(Workspace& workspace, std::vector<std::string> selected,
                                 QWidget* parent)
    : TaskDialog(workspace, tr("Clean up the host"),
                 tr("Nothing is removed before the plan below is confirmed. Exactly this plan is "
                    "then run, and each segment is checked again: one that a process maps or has "
                    "open by then is kept, and so is a new segment of the same name. Removed "
                    "segments cannot be restored."),
                 parent),
      selected_(std::move(selected)),
      scope_(new QComboBox),
      again_(make_button(u"refresh"_s, tr("Refresh plan"))),
      run_(make_danger(tr("Remove"))) {
    resize(1080, 580);
    if (!selected_.empty())
        scope_->addItem(tr("Selection: %1").arg(pluralize(selected_.size(), "segment", "segments")),
                        kSelected);
    scope_->addItem(tr("Segments that are certainly left over"), kLeftOver);
    scope_->setAccessibleName(tr("Segments to clean up"));
    body()->addLayout(make_row({scope_, again_}, scope_));
    table_ = add_table({{tr("Segment"), 250},
                        {tr("Kind"), 90},
                        {tr("Frees"), 90},
                        {tr("Plan"), 100},
                        {tr("Owner"), 90},
                        {tr("Reason")}});
    add_command_line();
    add_action(run_, this, &HostCleanDialog::run_plan);
    connect(scope_, &QComboBox::currentIndexChanged, this, &HostCleanDialog::rehearse);
    connect(again_, &QPushButton::clicked, this, &HostCleanDialog::rehearse);
    rehearse();
}

const std::vector<std::string>& HostCleanDialog::chosen() const {
    static const std::vector<std::string> left_over;
    return scope_->currentData().toInt() == kSelected ? selected_ : left_over;
}

QString HostCleanDialog::command() const {
    auto words = u"snakepit-shm host clean"_s;
    for (const auto& name : chosen()) words += u' ' + shell_word(name);
    return words;  // which looks again, and asks
}

void HostCleanDialog::rehearse() {
    set_command(command());
    set_message(tr("Planning…"), Severity::neutral);
    run_->setEnabled(false);
    workspace_.survey(
        this, [names = chosen()](HostPort& port) { return port.rehearse(names); },
        [this, token = latest_.next()](Result<std::vector<HostCleanItem>> plan) {
            if (!latest_.is(token)) return;
            plan_ = plan ? std::move(*plan) : std::vector<HostCleanItem>();
            show_plan(false);
            if (!plan) set_message(error_text(plan.error()), Severity::bad);
            Q_EMIT rehearsed();
        });
}

void HostCleanDialog::show_plan(bool done) {
    table_->setRowCount(static_cast<int>(plan_.size()));
    std::uint64_t goes = 0, bytes = 0;
    int row = 0;
    for (const auto& item : plan_) {
        const auto& segment = item.segment;
        const bool counts = done ? item.removed : item.removable;
        goes += counts ? 1 : 0;
        bytes += counts ? segment.resident : 0;
        set_row(table_, row++,
                {id_cell(segment.name),
                 {kind_title(segment.kind)},
                 number_cell(size_text(segment.resident)),
                 {plan_text(item, done), plan_severity(item, done)},
                 {QString::fromStdString(segment.user)},
                 {QString::fromStdString(item.reason)}});
    }
    show_summary(done, goes, bytes);
}

void HostCleanDialog::show_summary(bool done, std::uint64_t goes, std::uint64_t bytes) {
    const auto segments = pluralize(goes, "segment", "segments");
    const auto rest = plan_.size() - goes;
    run_->setEnabled(!done && goes > 0);
    run_->setText(goes > 0 && !done ? tr("Remove %1").arg(segments) : tr("Remove"));
    if (done) {
        closer()->setText(tr("Close"));
        again_->setEnabled(false);
        scope_->setEnabled(false);
        const auto text = tr("Removed %1, %2 freed.").arg(segments, size_text(bytes));
        set_message(
            rest > 0
                ? text + u' ' + tr("%1 kept; see the table for the reasons.").arg(count_text(rest))
                : text,
            rest > 0 ? Severity::caution : Severity::good);
        return;
    }
    if (goes == 0)
        set_message(
            plan_.empty()
                ? tr("No segment is certainly left over.")
                : tr("None of these segments can be removed; see the table for the reasons."),
            Severity::neutral);
    else
        set_message(rest > 0
                        ? tr("%1 will be removed, freeing %2. %3 will be kept.")
                              .arg(segments, size_text(bytes), count_text(rest))
                        : tr("%1 will be removed, freeing %2.").arg(segments, size_text(bytes)),
                    Severity::info);
}

void HostCleanDialog::run_plan() {
    std::vector<HostSegment> segments;
    for (const auto& item : plan_)
        if (item.removable) segments.push_back(item.segment);
    run_->setEnabled(false);
    latest_.next();
    set_message(tr("Running the plan…"), Severity::neutral);
    workspace_.survey(
        this, [segments](HostPort& port) { return port.clean(segments); },
        [this](Result<std::vector<HostCleanItem>> done) {
            if (done) {
                plan_ = std::move(*done);
                show_plan(true);
            } else {
                set_message(error_text(done.error()), Severity::bad);
            }
            Q_EMIT finished_run();
        });
}

}  // namespace snakepit::shm::ui
