// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/what_if_panel.h"

#include <QComboBox>
#include <QCompleter>
#include <QGridLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QStackedWidget>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/dialogs/small_table.h"
#include "ui/models/format.h"
#include "ui/models/policy_text.h"
#include "ui/models/user_names.h"
#include "ui/models/worker_names.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kDescribed = -1;
enum EffectColumn { kRead = 2, kWrite, kManage, kHolds };

QString client_title(const PolicyClient& client) {
    return process_text(client.process, client.subject.credentials.pid);
}

QLineEdit* word_field(const QString& title, const QString& hint) {
    auto* field = new QLineEdit;
    field->setPlaceholderText(hint);
    field->setAccessibleName(title);
    return field;
}

// What becomes of one right: "gains", "loses", or what it stays.
std::pair<QString, Severity> change_of(const Verdict& before, const Verdict& after) {
    if (after.allowed && !before.allowed) return {QObject::tr("gains"), Severity::good};
    if (!after.allowed && before.allowed) return {QObject::tr("loses"), Severity::bad};
    return {after.allowed ? QObject::tr("yes") : QObject::tr("no"), Severity::none};
}

}  // namespace

WhatIfPanel::WhatIfPanel(QWidget* parent) : QWidget(parent) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(10);
    auto* card = new Card(tr("Preview"));
    card->set_note(tr("the effect of this policy before it is saved"));
    auto* inner = new QVBoxLayout;
    inner->setContentsMargins(16, 2, 16, 14);
    inner->setSpacing(10);
    inner->addWidget(build_question());
    inner->addWidget(build_answer());
    card->body()->addLayout(inner);
    column->addWidget(card);
    column->addWidget(build_changes(), 1);
}

QWidget* WhatIfPanel::build_question() {
    auto* box = new QWidget;
    auto* column = new QVBoxLayout(box);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(8);
    who_ = new QComboBox;
    who_->setAccessibleName(tr("User or process to check"));
    who_->addItem(tr("Any user or process…"), kDescribed);
    fields_ = new QWidget;
    auto* grid = new QGridLayout(fields_);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setSpacing(8);
    user_ = word_field(tr("User"), tr("user"));
    group_ = word_field(tr("Group"), tr("also in group"));
    program_ = word_field(tr("Program"), tr("program: /…"));
    process_ = word_field(tr("Process id"), tr("or a process id"));
    grid->addWidget(user_, 0, 0);
    grid->addWidget(group_, 0, 1);
    grid->addWidget(program_, 1, 0);
    grid->addWidget(process_, 1, 1);
    for (auto* field : {user_, group_, program_, process_})
        connect(field, &QLineEdit::textChanged, this, &WhatIfPanel::asked);
    problem_ = make_problem();
    column->addWidget(who_);
    column->addWidget(fields_);
    column->addWidget(problem_);
    connect(who_, &QComboBox::currentIndexChanged, this, &WhatIfPanel::choose);
    return box;
}

QWidget* WhatIfPanel::build_answer() {
    answer_ = new QWidget;
    auto* grid = new QGridLayout(answer_);
    grid->setContentsMargins(0, 2, 0, 0);
    grid->setHorizontalSpacing(10);
    grid->setVerticalSpacing(7);
    role_ = make_label({}, "muted");
    grid->addWidget(role_, 0, 0);
    grid->addWidget(make_label(tr("now"), "muted"), 0, 1, 1, 2);
    grid->addWidget(make_label(tr("with this policy"), "muted"), 0, 3, 1, 2);
    const std::array names{tr("Read"), tr("Write"), tr("Manage")};
    for (int row = 0; row < 3; ++row) {
        const auto at = static_cast<std::size_t>(row);
        grid->addWidget(make_label(names[at], "section"), row + 1, 0);
        for (int side = 0; side < 2; ++side) {
            auto& cell = cells_[at][static_cast<std::size_t>(side)];
            cell = {make_sign(), new ElidedLabel};
            cell.chip->setAlignment(Qt::AlignCenter);
            cell.chip->setFixedSize(46, 22);
            cell.chip->setAccessibleName(
                u"%1, %2"_s.arg(names[at], side ? tr("with this policy") : tr("now")));
            grid->addWidget(cell.chip, row + 1, side * 2 + 1, Qt::AlignVCenter);
            grid->addWidget(cell.reason, row + 1, side * 2 + 2);
        }
    }
    grid->setColumnMinimumWidth(0, 86);
    grid->setColumnStretch(2, 1);
    grid->setColumnStretch(4, 1);
    answer_->hide();
    return answer_;
}

QWidget* WhatIfPanel::build_changes() {
    changes_ = make_table({{tr("Program"), 150},
                           {tr("User"), 64},
                           {tr("Read"), 66},
                           {tr("Write"), 66},
                           {tr("Manage"), 72},
                           {tr("References"), 100}},
                          tr("Affected programs"));
    changes_->setSelectionMode(QAbstractItemView::NoSelection);
    auto* none = make_label(tr("No connected program gains or loses access."), "muted");
    none->setAlignment(Qt::AlignCenter);
    stack_ = make_stack({none, changes_});
    stack_->setMinimumHeight(96);
    auto* card = new Card(tr("Affected programs"), stack_);
    card->set_note(tr("among those connected now"));
    return card;
}

void WhatIfPanel::load(const PolicyReport& report, const KnownNames& names) {
    const auto before = who_->currentText();
    const QSignalBlocker quiet(who_);
    while (who_->count() > 1) who_->removeItem(1);
    int number = 0;
    for (const auto& client : report.clients)
        who_->addItem(visible_text(client_title(client)), number++);
    const int again = who_->findText(before);
    who_->setCurrentIndex(again > 0 ? again : 0);
    user_->setCompleter(new QCompleter(names.users, user_));
    group_->setCompleter(new QCompleter(names.groups, group_));
    fields_->setVisible(who_->currentIndex() == 0);
}

void WhatIfPanel::choose() {
    fields_->setVisible(who_->currentData().toInt() == kDescribed);
    Q_EMIT asked();
}

std::optional<PreviewSubject> WhatIfPanel::who() const {
    PreviewSubject who;
    if (const int client = who_->currentData().toInt(); client != kDescribed) {
        who.client = static_cast<std::size_t>(client);
        return who;
    }
    who.somebody.user = user_->text().trimmed().toStdString();
    who.somebody.group = group_->text().trimmed().toStdString();
    who.somebody.program = program_->text().trimmed().toStdString();
    who.somebody.process = process_->text().trimmed().toLongLong();
    if (!who.somebody.named()) return std::nullopt;
    return who;
}

void WhatIfPanel::show_cell(const Cell& cell, const Verdict& verdict, const Policy& policy,
                            bool changed) const {
    const auto severity = !changed          ? (verdict.allowed ? Severity::info : Severity::neutral)
                          : verdict.allowed ? Severity::good
                                            : Severity::bad;
    set_chip(cell.chip, verdict.allowed ? tr("yes") : tr("no"), severity);
    cell.reason->set_text(reason_text(verdict, policy));
}

void WhatIfPanel::show_preview(const PolicyPreview& preview, const Policy& now,
                               const Policy& then) {
    show_problem(problem_, preview.problem);
    answer_->setVisible(preview.before && preview.after);
    if (preview.before && preview.after) {
        const auto& before = *preview.before;
        const auto& after = *preview.after;
        say(role_, before.role == Role::client ? QString() : role_title(before.role));
        const std::array pairs{std::pair(&before.read, &after.read),
                               std::pair(&before.write, &after.write),
                               std::pair(&before.manage, &after.manage)};
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            const auto [was, is] = pairs[i];
            show_cell(cells_[i][0], *was, now, false);
            show_cell(cells_[i][1], *is, then, was->allowed != is->allowed);
        }
    }
    show_changes(preview.changes, then);
}

void WhatIfPanel::show_changes(const std::vector<PolicyChange>& changes, const Policy& then) {
    changes_->setRowCount(static_cast<int>(changes.size()));
    int row = 0;
    for (const auto& change : changes) {
        const auto& client = change.client;
        set_row(changes_, row,
                {{client_title(client)}, {user_text(client.subject.credentials.uid)}});
        const auto right = [&](int column, const Verdict& before, const Verdict& after) {
            const auto [text, severity] = change_of(before, after);
            set_cell(changes_, row, column, {text, severity});
            changes_->item(row, column)->setToolTip(tooltip_text(reason_text(after, then)));
        };
        right(kRead, change.before.read, change.after.read);
        right(kWrite, change.before.write, change.after.write);
        right(kManage, change.before.manage, change.after.manage);
        const auto holds = count_text(client.references);
        set_cell(changes_, row++, kHolds,
                 {change.holds_more() ? tr("%1 until released").arg(holds) : holds});
    }
    stack_->setCurrentIndex(changes.empty() ? 0 : 1);
}

}  // namespace snakepit::shm::ui
