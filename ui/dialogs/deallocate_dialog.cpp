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

enum Column { kState = 2, kHolders, kResult };
constexpr int kObserveMillis = 1000;

bool held(const RegionInfo& info) {
    return info.reference_count > 0;
}

}  // namespace

DeallocateDialog::DeallocateDialog(Workspace& workspace, std::vector<DeallocateTarget> targets,
                                   QWidget* parent)
    : TaskDialog(workspace, tr("Deallocate"),
                 tr("A region that no process holds is freed immediately. A region that is held is "
                    "withdrawn: no other process can map it, and its memory is freed with the last "
                    "reference."),
                 parent),
      force_(new QCheckBox(tr("Force: revoke the memory from its holders now"))),
      run_(make_danger({})) {
    int hidden = 0;
    for (auto& target : targets) {
        rows_.push_back({{std::move(target.info), {}}, target.hidden, Phase::unseen});
        hidden += target.hidden ? 1 : 0;
    }
    table_ = add_table({{tr("Region"), 264},
                        {tr("Size"), 90},
                        {tr("State"), hidden > 0 ? 240 : 100},
                        {tr("Held by"), 220},
                        {tr("Plan")}});
    if (hidden > 0)
        body()->addWidget(
            make_words(tr("The filter hides %1 of these regions on the Regions page.").arg(hidden),
                       "caution"));
    body()->addWidget(force_);
    add_command_line();
    add_action(run_, this, &DeallocateDialog::run)->setEnabled(false);
    connect(force_, &QCheckBox::toggled, this, &DeallocateDialog::explain);
    again_.setSingleShot(true);
    again_.setInterval(kObserveMillis);
    connect(&again_, &QTimer::timeout, this, &DeallocateDialog::observe);
    show_rows();
    explain();
    observe();
}

void DeallocateDialog::show_rows() {
    table_->setRowCount(static_cast<int>(rows_.size()));
    for (std::size_t row = 0; row < rows_.size(); ++row) {
        const auto& info = rows_[row].shown.info;
        set_row(table_, static_cast<int>(row),
                {id_cell(info.id.str()), number_cell(size_text(info.size))});
        show_region(row);
    }
}

void DeallocateDialog::show_region(std::size_t row) {
    const auto& info = rows_[row].shown.info;
    show_state(row, plain_text(info.state), severity_of(info.state));
    auto names = holders_text(info.references, info.holder_count);
    if (names.isEmpty())
        names =
            held(info) ? pluralize(info.reference_count, "reference", "references") : tr("none");
    set_cell(table_, static_cast<int>(row), kHolders, {names});
}

void DeallocateDialog::show_state(std::size_t row, const QString& text, Severity severity) {
    set_cell(table_, static_cast<int>(row), kState, {text, severity});
    if (rows_[row].hidden)
        table_->item(static_cast<int>(row), kState)
            ->setData(kMarksRole, QStringList{tr("hidden by the filter")});
}

void DeallocateDialog::show_result(std::size_t row, const QString& text, Severity severity) {
    set_cell(table_, static_cast<int>(row), kResult, {text, severity});
}

std::vector<std::size_t> DeallocateDialog::waiting() const {
    std::vector<std::size_t> out;
    for (std::size_t row = 0; row < rows_.size(); ++row)
        if (rows_[row].phase != Phase::ended) out.push_back(row);
    return out;
}

// The manager knows all holders, the registry names five; and both know more a second later.
void DeallocateDialog::observe() {
    std::vector<std::pair<std::size_t, RegionId>> asked;
    for (const auto row : waiting()) asked.emplace_back(row, rows_[row].shown.info.id);
    const auto job = [asked](ManagerPort& port) {
        std::vector<Result<ObservedRegion>> out;
        for (const auto& [row, id] : asked) out.push_back(observe_region(port, id));
        return out;
    };
    workspace_.ask(this, job, [this, asked](std::vector<Result<ObservedRegion>> now) {
        if (pending_ > 0) return;
        for (std::size_t i = 0; i < asked.size(); ++i) take(asked[i].first, std::move(now[i]));
        explain();
        if (!waiting().empty()) again_.start();
        Q_EMIT observed();
    });
}

void DeallocateDialog::take(std::size_t row, Result<ObservedRegion> now) {
    auto& target = rows_[row];
    if (target.phase == Phase::ended) return;
    if (now) {
        if (target.phase == Phase::unseen)
            target.phase = Phase::planned;
        else if (has_other_holders(target.shown, *now))
            target.phase = Phase::changed;
        target.shown = std::move(*now);
        return show_region(row);
    }
    show_failure(row, now.error());
}

// It is not asked again: a refusal is recorded each time.
void DeallocateDialog::show_failure(std::size_t row, const Error& error) {
    const bool gone = error.code == ErrorCode::region_not_found;
    rows_[row].phase = Phase::ended;
    ++(gone ? gone_ : failed_);
    if (gone) show_state(row, tr("gone"), Severity::neutral);
    show_result(row, gone ? tr("already gone") : error_text(error),
                gone ? Severity::neutral : Severity::none);
}

void DeallocateDialog::explain() {
    auto words = u"deallocate"_s;
    std::uint64_t bytes = 0;
    bool any_held = false, all_seen = true;
    const auto rows = waiting();
    for (const auto row : rows) {
        const auto& info = rows_[row].shown.info;
        words += u' ' + QString::fromStdString(info.id.str());
        bytes += info.size;
        any_held |= held(info);
        all_seen &= rows_[row].phase != Phase::unseen;
        const auto plan = !held(info)           ? tr("freed immediately")
                          : force_->isChecked() ? tr("revoked and overwritten with zeros")
                                                : tr("withdrawn, freed with the last reference");
        const bool changed = rows_[row].phase == Phase::changed;
        show_result(row, changed ? tr("holders changed: %1").arg(plan) : plan,
                    changed ? Severity::caution : Severity::none);
    }
    force_->setVisible(any_held);
    if (force_->isChecked() && any_held) words += u" --force"_s;
    set_command(rows.empty() ? QString() : workspace_.command(words));
    run_->setEnabled(!rows.empty() && all_seen);
    run_->setText(tr("Deallocate %1 (%2)")
                      .arg(pluralize(rows.size(), "region", "regions"), size_text(bytes)));
    if (rows.empty()) return finish();
    const auto changed = std::count_if(rows.begin(), rows.end(), [this](std::size_t row) {
        return rows_[row].phase == Phase::changed;
    });
    if (changed > 0)
        set_message(tr("Other programs hold %1 now than were shown. Check who holds them before "
                       "you confirm.")
                        .arg(pluralize(static_cast<std::uint64_t>(changed), "region", "regions")),
                    Severity::caution);
    else
        set_message(force_->isChecked() && any_held
                        ? tr("Programs that use these regions will read zeros from then on.")
                        : QString(),
                    Severity::bad);
}

void DeallocateDialog::run() {
    const bool force = force_->isChecked() && !force_->isHidden();
    run_->setEnabled(false);
    force_->setEnabled(false);
    again_.stop();
    const auto rows = waiting();
    pending_ = static_cast<int>(rows.size());
    table_->horizontalHeaderItem(kResult)->setText(tr("Result"));
    for (const auto row : rows) {
        rows_[row].phase = Phase::running;
        show_result(row, u"…"_s);
        workspace_.act(
            this,
            [shown = rows_[row].shown, force](ManagerPort& port) {
                return deallocate_as_shown(port, shown, force);
            },
            [this, row, force](DeallocateOutcome outcome) {
                show_outcome(row, force, std::move(outcome));
            });
    }
}

void DeallocateDialog::show_outcome(std::size_t row, bool force, DeallocateOutcome outcome) {
    auto& target = rows_[row];
    target.phase = Phase::ended;
    if (outcome.changed) {
        target.phase = Phase::changed;
        target.shown = std::move(*outcome.changed);
        show_region(row);
    } else if (!outcome.freed) {
        show_failure(row, outcome.freed.error());
    } else if (force && held(target.shown.info)) {
        ++revoked_;
        show_state(row, tr("revoked"), Severity::neutral);
        show_result(row, tr("revoked"), Severity::good);
    } else {
        const bool freed = *outcome.freed;
        ++(freed ? freed_ : withdrawn_);
        show_state(row, freed ? tr("gone") : plain_text(RegionState::closing), Severity::neutral);
        show_result(row, freed ? tr("freed") : tr("withdrawn"),
                    freed ? Severity::good : Severity::info);
    }
    if (--pending_ > 0) return;
    force_->setEnabled(true);
    explain();
    if (!waiting().empty()) again_.start();
    Q_EMIT finished_run();
}

void DeallocateDialog::finish() {
    closer()->setText(tr("Close"));
    force_->hide();
    QStringList parts;
    const auto add = [&parts](int count, const QString& words) {
        if (count > 0) parts << u"%1 %2"_s.arg(count).arg(words);
    };
    add(freed_, tr("freed"));
    add(withdrawn_, tr("withdrawn"));
    add(revoked_, tr("revoked"));
    add(gone_, tr("already gone"));
    add(failed_, tr("failed; see the table for the reasons"));
    set_message(capitalised(parts.join(u", "_s)) + u'.', failed_ ? Severity::bad : Severity::good);
}

}  // namespace snakepit::shm::ui
