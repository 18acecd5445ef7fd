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

enum Column { kName, kKind, kBytes, kPlan, kOwner, kReason };
enum Scope { kSelected, kLeftOver };

QString plan_text(const HostCleanItem& item, bool done) {
    if (done)
        return item.removed     ? HostCleanDialog::tr("removed")
               : item.removable ? HostCleanDialog::tr("failed")
                                : HostCleanDialog::tr("stays");
    return item.removable ? HostCleanDialog::tr("goes") : HostCleanDialog::tr("stays");
}

Tone plan_tone(const HostCleanItem& item, bool done) {
    if (done && item.removed) return Tone::good;
    if (!item.removable) return Tone::neutral;
    return done ? Tone::bad : Tone::caution;
}

}  // namespace

HostCleanDialog::HostCleanDialog(Workspace& workspace, std::vector<std::string> selected,
                                 QWidget* parent)
    : TaskDialog(tr("Clean up the host"),
                 tr("A rehearsal first: nothing is removed until you have seen the plan. What runs "
                    "then is exactly this plan. Each segment is looked at again at that moment: "
                    "one that any process maps or has open stays, and so does another that has "
                    "taken its name. What is removed cannot be brought back."),
                 parent),
      workspace_(workspace),
      selected_(std::move(selected)),
      scope_(new QComboBox),
      again_(make_button(QStringLiteral("refresh"), tr("Rehearse again"))),
      run_(make_danger(tr("Remove"))) {
    resize(1080, 580);
    if (!selected_.empty())
        scope_->addItem(
            tr("What is selected: %1").arg(counted(selected_.size(), "segment", "segments")),
            kSelected);
    scope_->addItem(tr("What was left over for certain"), kLeftOver);
    scope_->setAccessibleName(tr("What to clean up"));
    auto* row = new QHBoxLayout;
    row->addWidget(scope_, 1);
    row->addWidget(again_);
    body()->addLayout(row);
    table_ =
        add_table({tr("Segment"), tr("Kind"), tr("Frees"), tr("Plan"), tr("Owner"), tr("Why")});
    table_->setColumnWidth(kName, 250);
    table_->setColumnWidth(kKind, 90);
    table_->setColumnWidth(kBytes, 90);
    table_->setColumnWidth(kPlan, 100);
    table_->setColumnWidth(kOwner, 90);
    add_command_line();
    add_action(run_);
    connect(scope_, &QComboBox::currentIndexChanged, this, &HostCleanDialog::rehearse);
    connect(again_, &QPushButton::clicked, this, &HostCleanDialog::rehearse);
    connect(run_, &QPushButton::clicked, this, &HostCleanDialog::run_plan);
    rehearse();
}

const std::vector<std::string>& HostCleanDialog::chosen() const {
    static const std::vector<std::string> left_over;
    return scope_->currentData().toInt() == kSelected ? selected_ : left_over;
}

QString HostCleanDialog::command() const {
    auto words = QStringLiteral("snakepit-shm host clean");
    for (const auto& name : chosen()) words += u' ' + shell_word(QString::fromStdString(name));
    return words;  // which looks again, and asks
}

void HostCleanDialog::rehearse() {
    set_command(command());
    set_message(tr("Rehearsing…"), Tone::neutral);
    run_->setEnabled(false);
    workspace_.survey(
        this, [names = chosen()](HostPort& port) { return port.rehearse(names); },
        [this, token = latest_.next()](Result<std::vector<HostCleanItem>> plan) {
            if (!latest_.is(token)) return;
            plan_ = plan ? std::move(*plan) : std::vector<HostCleanItem>();
            show_plan(false);
            if (!plan) set_message(error_text(plan.error()), Tone::bad);
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
        set_cell(table_, row, kName, QString::fromStdString(segment.name), Tone::none, false, true);
        set_cell(table_, row, kKind, kind_title(segment.kind));
        set_cell(table_, row, kBytes, size_text(segment.resident), Tone::none, true);
        set_cell(table_, row, kPlan, plan_text(item, done), plan_tone(item, done));
        set_cell(table_, row, kOwner, QString::fromStdString(segment.user));
        set_cell(table_, row++, kReason, QString::fromStdString(item.reason));
    }
    show_summary(done, goes, bytes);
}

void HostCleanDialog::show_summary(bool done, std::uint64_t goes, std::uint64_t bytes) {
    const auto segments = counted(goes, "segment", "segments");
    const auto rest = plan_.size() - goes;
    run_->setEnabled(!done && goes > 0);
    run_->setText(goes > 0 && !done ? tr("Remove %1").arg(segments) : tr("Remove"));
    if (done) {
        closer()->setText(tr("Close"));
        again_->setEnabled(false);
        scope_->setEnabled(false);
        const auto text = tr("Removed %1, %2 freed.").arg(segments, size_text(bytes));
        set_message(rest > 0
                        ? text + u' ' + tr("%1 stayed; the table says why.").arg(count_text(rest))
                        : text,
                    rest > 0 ? Tone::caution : Tone::good);
        return;
    }
    if (goes == 0)
        set_message(plan_.empty() ? tr("Nothing was left over that is safe to remove.")
                                  : tr("Nothing of this can be removed; the table says why."),
                    Tone::neutral);
    else
        set_message(rest > 0 ? tr("%1 would go and free %2. %3 would stay.")
                                   .arg(segments, size_text(bytes), count_text(rest))
                             : tr("%1 would go and free %2.").arg(segments, size_text(bytes)),
                    Tone::info);
}

void HostCleanDialog::run_plan() {
    std::vector<HostSegment> segments;
    for (const auto& item : plan_)
        if (item.removable) segments.push_back(item.segment);
    run_->setEnabled(false);
    latest_.next();
    set_message(tr("Running the plan…"), Tone::neutral);
    workspace_.survey(
        this, [segments](HostPort& port) { return port.clean(segments); },
        [this](Result<std::vector<HostCleanItem>> done) {
            if (done) {
                plan_ = std::move(*done);
                show_plan(true);
            } else {
                set_message(error_text(done.error()), Tone::bad);
            }
            Q_EMIT finished_run();
        });
}

}  // namespace snakepit::shm::ui
