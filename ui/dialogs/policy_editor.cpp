// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/policy_editor.h"

#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QGridLayout>
#include <QHeaderView>
#include <QRegularExpression>
#include <QStackedWidget>
#include <QTableWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/dialogs/rule_dialog.h"
#include "ui/dialogs/small_table.h"
#include "ui/models/format.h"
#include "ui/models/policy_text.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

enum RuleColumn { kNumber, kWho, kMay };
constexpr int kFindingsShown = 5;

QLabel* note_label(Severity severity) {
    auto* label = make_words();
    label->setStyleSheet(u"color: %1"_s.arg(colours().severity(severity).text.name()));
    label->hide();
    return label;
}

}  // namespace

PolicyEditor::PolicyEditor(Workspace& workspace, QWidget* parent)
    : QWidget(parent), workspace_(workspace) {
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(10);
    column->addWidget(build_permissions());
    column->addWidget(build_rules(), 1);
    column->addWidget(build_flags());
    findings_ = note_label(Severity::caution);
    findings_->setAccessibleName(tr("Warnings"));
    column->addWidget(findings_);
}

QWidget* PolicyEditor::build_permissions() {
    auto* card = new Card(tr("Permissions"));
    card->set_note(tr("as for a file"));
    auto* grid = new QGridLayout;
    grid->setContentsMargins(16, 2, 16, 14);
    grid->setHorizontalSpacing(12);
    const std::array names{tr("owner"), tr("group"), tr("others")};
    for (std::size_t i = 0; i < permissions_.size(); ++i) {
        const int place = static_cast<int>(i);
        classes_[i] = make_label(names[i], "muted");
        auto* box = permissions_[i] = new QComboBox;
        for (const auto may : {Permission::none, Permission::read_only, Permission::read_write})
            box->addItem(permission_title(may), static_cast<int>(may));
        box->setAccessibleName(tr("Permission of %1").arg(names[i]));
        grid->addWidget(classes_[i], 0, place);
        grid->addWidget(box, 1, place);
        grid->setColumnStretch(place, 1);
        connect(box, &QComboBox::currentIndexChanged, this, &PolicyEditor::apply_permissions);
    }
    card->body()->addLayout(grid);
    return card;
}

QWidget* PolicyEditor::build_rules() {
    rules_card_ = new Card(tr("Rules"));
    rules_card_->set_note(tr("in addition to the permissions"));
    rules_ = make_table({{tr("No."), 58}, {tr("Applies to")}, {tr("Allow"), 170}}, tr("Rules"));
    rules_->horizontalHeader()->setStretchLastSection(false);
    rules_->horizontalHeader()->setSectionResizeMode(kWho, QHeaderView::Stretch);
    auto* none = make_label(tr("No rules; only the permissions apply."), "muted");
    none->setAlignment(Qt::AlignCenter);
    stack_ = new QStackedWidget;
    stack_->addWidget(none);
    stack_->addWidget(rules_);
    rules_card_->body()->addWidget(stack_);
    add_ = make_tool(u"plus"_s, tr("Add a rule"), u"Ctrl+N"_s, tr("Add rule…"));
    edit_ = make_tool(u"edit"_s, tr("Edit the rule"));
    remove_ = make_tool(u"trash"_s, tr("Remove the selected rules"));
    for (auto* tool : {add_, edit_, remove_}) rules_card_->add_action(tool);
    connect(add_, &QToolButton::clicked, this, [this] { edit_rule(-1); });
    connect(edit_, &QToolButton::clicked, this, [this] { edit_rule(rules_->currentRow()); });
    connect(remove_, &QToolButton::clicked, this, &PolicyEditor::remove_rules);
    connect(rules_, &QTableWidget::cellDoubleClicked, this, [this](int row) { edit_rule(row); });
    connect(rules_, &QTableWidget::itemSelectionChanged, this, &PolicyEditor::check);
    auto* remove = new QAction(rules_);
    remove->setShortcut(QKeySequence::Delete);
    remove->setShortcutContext(Qt::WidgetShortcut);
    connect(remove, &QAction::triggered, this, &PolicyEditor::remove_rules);
    rules_->addAction(remove);
    return rules_card_;
}

QWidget* PolicyEditor::build_flags() {
    auto* card = new Card;
    auto* column = new QVBoxLayout;
    column->setContentsMargins(16, 10, 16, 10);
    column->setSpacing(4);
    encryption_ = new QCheckBox(tr("Require encryption"));
    encryption_note_ = note_label(Severity::bad);
    encryption_note_->setContentsMargins(23, 0, 0, 4);
    audit_ = new QCheckBox(tr("Record every access in the audit trail"));
    column->addWidget(encryption_);
    column->addWidget(encryption_note_);
    column->addWidget(audit_);
    card->body()->addLayout(column);
    for (auto* box : {encryption_, audit_})
        connect(box, &QCheckBox::toggled, this, &PolicyEditor::apply_permissions);
    return card;
}

void PolicyEditor::load(const PolicyReport& report, const PolicyText& words,
                        const KnownNames& names) {
    report_ = report;
    names_ = names;
    policy_ = report.policy;
    loading_ = true;
    say(classes_[0], words.owner);
    say(classes_[1], words.group);
    const std::array given{policy_.permissions.owner, policy_.permissions.group,
                           policy_.permissions.other};
    for (std::size_t i = 0; i < given.size(); ++i)
        permissions_[i]->setCurrentIndex(permissions_[i]->findData(static_cast<int>(given[i])));
    encryption_->setChecked(policy_.require_encryption);
    audit_->setChecked(policy_.audit);
    loading_ = false;
    permissions_.front()->setFocus();
    show_rules();
}

void PolicyEditor::apply_permissions() {
    if (loading_) return;
    const auto given = [this](std::size_t i) {
        return static_cast<Permission>(permissions_[i]->currentData().toInt());
    };
    policy_.permissions = {given(0), given(1), given(2)};
    policy_.require_encryption = encryption_->isChecked();
    policy_.audit = audit_->isChecked();
    check();
    Q_EMIT edited();
}

void PolicyEditor::show_rules() {
    rules_->setRowCount(static_cast<int>(policy_.rules.size()));
    int row = 0;
    for (const auto& rule : policy_.rules) {
        set_row(rules_, row,
                {{QString::number(row + 1)}, {conditions_text(rule)}, {rights_text(rule.allow)}});
        ++row;
    }
    stack_->setCurrentIndex(policy_.rules.empty() ? 0 : 1);
    check();
    Q_EMIT edited();
}

void PolicyEditor::check() {
    const bool chosen = rules_->selectionModel()->hasSelection();
    edit_->setEnabled(chosen);
    remove_->setEnabled(chosen);
    const bool full = policy_.rules.size() >= kMaxPolicyRules;
    add_->setEnabled(!full);
    rules_card_->set_note(full ? tr("limit of %1 reached").arg(kMaxPolicyRules)
                               : tr("in addition to the permissions"));
    problem_.clear();
    if (policy_.require_encryption && report_.level == SecurityLevel::standard)
        problem_ =
            tr("This region is not encrypted, so the manager would refuse this policy. Allocate a "
               "region with security level high or maximum instead.");
    say(encryption_note_, problem_);
    encryption_note_->setVisible(!problem_.isEmpty());
    if (problem_.isEmpty() && to_json(policy_).size() > kMaxPolicyBytes)
        problem_ = tr("The policy is longer than %1: use groups to combine rules.")
                       .arg(size_text(kMaxPolicyBytes));
}

void PolicyEditor::edit_rule(int row) {
    const bool fresh = row < 0;
    const auto at = static_cast<std::size_t>(row);
    if (!fresh && at >= policy_.rules.size()) return;
    auto* dialog = new RuleDialog(workspace_, fresh ? PolicyRule{} : policy_.rules[at], names_,
                                  report_, window());
    connect(dialog, &RuleDialog::decided, this, [this, fresh, at](const PolicyRule& rule) {
        if (fresh)
            policy_.rules.push_back(rule);
        else if (at < policy_.rules.size())
            policy_.rules[at] = rule;
        show_rules();
        rules_->selectRow(fresh ? rules_->rowCount() - 1 : static_cast<int>(at));
    });
    dialog->open();
}

void PolicyEditor::remove_rules() {
    std::vector<int> rows;
    for (const auto& index : rules_->selectionModel()->selectedRows()) rows.push_back(index.row());
    std::sort(rows.rbegin(), rows.rend());
    for (const int row : rows) policy_.rules.erase(policy_.rules.begin() + row);
    show_rules();
}

void PolicyEditor::mark_row(int row, Severity severity, const QString& why) {
    auto* item = row >= 0 && row < rules_->rowCount() ? rules_->item(row, kNumber) : nullptr;
    if (!item) return;
    item->setData(kSeverityRole, static_cast<int>(severity));
    for (int column : {kNumber, kWho, kMay})
        rules_->item(row, column)->setToolTip(tooltip_text(why));
}

void PolicyEditor::show_findings(const std::vector<PolicyFinding>& findings) {
    for (int row = 0; row < rules_->rowCount(); ++row) mark_row(row, Severity::none, {});
    static const QRegularExpression number(u"^rules\\[(\\d+)\\]"_s);
    QStringList lines;
    for (const auto& finding : findings) {
        // An error says so already, at its field.
        if (finding.where == "require_encryption") continue;
        const auto text = finding_text(finding);
        if (const auto rule = number.match(to_qstring(finding.where)); rule.hasMatch())
            mark_row(rule.captured(1).toInt(), Severity::caution, text);
        lines << u"%1: %2"_s.arg(place_text(finding.where), text);
    }
    const auto more = lines.size() - kFindingsShown;
    if (more > 0) {
        lines = lines.mid(0, kFindingsShown);
        lines << tr("… and %1 more; see the tooltips of the rules").arg(more);
    }
    say_lines(findings_, lines.join(u'\n'));
    findings_->setVisible(!lines.isEmpty());
}

void PolicyEditor::mark(const QString& refusal) {
    static const QRegularExpression number(u"rules\\[(\\d+)\\]"_s);
    if (const auto rule = number.match(refusal); rule.hasMatch()) {
        mark_row(rule.captured(1).toInt(), Severity::bad, refusal);
        rules_->selectRow(rule.captured(1).toInt());
    }
}

}  // namespace snakepit::shm::ui
