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
#include "ui/models/policy_words.h"
#include "ui/models/user_names.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kSomebody = -1;
enum Column { kProgram, kUser, kRead, kWrite, kManage, kHolds };

QString client_title(const PolicyClient& client) {
    return QObject::tr("%1 %2")
        .arg(QString::fromStdString(client.process))
        .arg(client.subject.credentials.pid);
}

QLineEdit* word_field(const QString& title, const QString& hint) {
    auto* field = new QLineEdit;
    field->setPlaceholderText(hint);
    field->setAccessibleName(title);
    return field;
}

// What becomes of one right: "gains", "loses", or what it stays.
std::pair<QString, Tone> change_of(const Verdict& before, const Verdict& after) {
    if (after.allowed && !before.allowed) return {QObject::tr("gains"), Tone::good};
    if (!after.allowed && before.allowed) return {QObject::tr("loses"), Tone::bad};
    return {after.allowed ? QObject::tr("yes") : QObject::tr("no"), Tone::none};
}

}  // namespace

WhatIfPanel::WhatIfPanel(QWidget* parent) : QWidget(parent) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(10);
    auto* card = new Card(tr("What if"));
    card->set_note(tr("what somebody may, before it is saved"));
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
    who_->setAccessibleName(tr("Who is asked about"));
    who_->addItem(tr("Somebody…"), kSomebody);
    fields_ = new QWidget;
    auto* grid = new QGridLayout(fields_);
    grid->setContentsMargins(0, 0, 0, 0);
    grid->setSpacing(8);
    user_ = word_field(tr("User"), tr("user"));
    group_ = word_field(tr("Group"), tr("also in group"));
    program_ = word_field(tr("Program"), tr("running program /…"));
    process_ = word_field(tr("Process id"), tr("or a process id, for all of it"));
    grid->addWidget(user_, 0, 0);
    grid->addWidget(group_, 0, 1);
    grid->addWidget(program_, 1, 0);
    grid->addWidget(process_, 1, 1);
    for (auto* field : {user_, group_, program_, process_})
        connect(field, &QLineEdit::textChanged, this, &WhatIfPanel::asked);
    problem_ = make_label({}, "problem");
    problem_->setWordWrap(true);
    problem_->hide();
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
            cell = {new QLabel, new ElidedLabel};
            cell.chip->setAlignment(Qt::AlignCenter);
            cell.chip->setFixedSize(46, 22);
            cell.chip->setAccessibleName(
                QStringLiteral("%1, %2").arg(names[at], side ? tr("with this policy") : tr("now")));
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
    changes_card_ = new Card(tr("Who would notice"));
    changes_card_->set_note(tr("of those connected now"));
    changes_ = make_table(
        {tr("Program"), tr("User"), tr("Read"), tr("Write"), tr("Manage"), tr("References")},
        tr("Who would notice"));
    const std::array widths{128, 64, 66, 66, 72, 100};
    for (std::size_t i = 0; i < widths.size(); ++i)
        changes_->setColumnWidth(static_cast<int>(i), widths[i]);
    changes_->setSelectionMode(QAbstractItemView::NoSelection);
    auto* nobody = make_label(tr("Nobody who is connected gains or loses anything."), "muted");
    nobody->setAlignment(Qt::AlignCenter);
    stack_ = new QStackedWidget;
    stack_->addWidget(nobody);
    stack_->addWidget(changes_);
    stack_->setMinimumHeight(96);
    changes_card_->body()->addWidget(stack_);
    return changes_card_;
}

void WhatIfPanel::load(const PolicyReport& report, const KnownNames& names) {
    const auto before = who_->currentText();
    const QSignalBlocker quiet(who_);
    while (who_->count() > 1) who_->removeItem(1);
    int number = 0;
    for (const auto& client : report.clients) who_->addItem(client_title(client), number++);
    const int again = who_->findText(before);
    who_->setCurrentIndex(again > 0 ? again : 0);
    user_->setCompleter(new QCompleter(names.users, user_));
    group_->setCompleter(new QCompleter(names.groups, group_));
    fields_->setVisible(who_->currentIndex() == 0);
}

void WhatIfPanel::choose() {
    fields_->setVisible(who_->currentData().toInt() == kSomebody);
    Q_EMIT asked();
}

std::optional<WhoAsked> WhatIfPanel::who() const {
    WhoAsked who;
    if (const int client = who_->currentData().toInt(); client != kSomebody) {
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
    const auto tone = !changed          ? (verdict.allowed ? Tone::info : Tone::neutral)
                      : verdict.allowed ? Tone::good
                                        : Tone::bad;
    set_chip(cell.chip, verdict.allowed ? tr("yes") : tr("no"), tone);
    cell.reason->set_text(reason_text(verdict, policy));
}

void WhatIfPanel::show_study(const PolicyStudy& study, const Policy& now, const Policy& then) {
    problem_->setText(study.nobody);
    problem_->setVisible(!study.nobody.isEmpty());
    answer_->setVisible(study.before && study.after);
    if (study.before && study.after) {
        const auto& before = *study.before;
        const auto& after = *study.after;
        role_->setText(before.role == Role::client ? QString() : role_title(before.role));
        const std::array pairs{std::pair(&before.read, &after.read),
                               std::pair(&before.write, &after.write),
                               std::pair(&before.manage, &after.manage)};
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            const auto [was, is] = pairs[i];
            show_cell(cells_[i][0], *was, now, false);
            show_cell(cells_[i][1], *is, then, was->allowed != is->allowed);
        }
    }
    show_changes(study.changes, then);
}

void WhatIfPanel::show_changes(const std::vector<PolicyChange>& changes, const Policy& then) {
    changes_->setRowCount(static_cast<int>(changes.size()));
    int row = 0;
    for (const auto& change : changes) {
        const auto& client = change.client;
        set_cell(changes_, row, kProgram, client_title(client));
        set_cell(changes_, row, kUser, user_text(client.subject.credentials.uid));
        const auto right = [&](int column, const Verdict& before, const Verdict& after) {
            const auto [text, tone] = change_of(before, after);
            set_cell(changes_, row, column, text, tone);
            changes_->item(row, column)->setToolTip(reason_text(after, then));
        };
        right(kRead, change.before.read, change.after.read);
        right(kWrite, change.before.write, change.after.write);
        right(kManage, change.before.manage, change.after.manage);
        set_cell(changes_, row++, kHolds,
                 change.holds_more() ? tr("%1 until given back").arg(count_text(client.references))
                                     : count_text(client.references));
    }
    stack_->setCurrentIndex(changes.empty() ? 0 : 1);
}

}  // namespace snakepit::shm::ui
