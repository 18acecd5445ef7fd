// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/alert_rules_view.h"

#include <QHBoxLayout>
#include <QMenu>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "ui/dialogs/alert_rule_dialog.h"
#include "ui/icons.h"
#include "ui/models/alert_rule_model.h"
#include "ui/models/alert_text.h"
#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

AlertRulesView::AlertRulesView(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      workspace_(workspace),
      model_(new AlertRuleModel(this)),
      table_(new TableView(QStringLiteral("alert_rules"))),
      stack_(new QStackedWidget),
      empty_(new EmptyState(QStringLiteral("alerts"), tr("Rules are not known yet"), {})),
      problem_(make_label({}, "problem")),
      command_line_(make_command_line({})),
      command_(command_line_->findChild<QLabel*>(QStringLiteral("command"))) {
    table_->setModel(model_);
    table_->set_default_columns(
        {kRuleTitle, kRuleEnabled, kRuleSeverity, kRuleCondition, kRuleGroup, kRuleOrigin},
        {300, 90, 104, 400, 130, 100});
    table_->setColumnWidth(kRuleName, 180);
    table_->setSelectionMode(QAbstractItemView::SingleSelection);
    table_->setSortingEnabled(false);
    table_->setAccessibleName(tr("Rules"));
    table_->restore_layout();
    auto* card = new Card;
    stack_->addWidget(table_);
    stack_->addWidget(empty_);
    stack_->setCurrentWidget(empty_);
    card->body()->addWidget(stack_);
    problem_->setWordWrap(true);
    problem_->hide();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(10);
    column->addWidget(card, 1);
    column->addWidget(problem_);
    column->addWidget(build_actions());
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &AlertRulesView::show_selection);
    connect(model_, &QAbstractItemModel::dataChanged, this, &AlertRulesView::show_selection);
    connect(table_, &QTableView::activated, this, &AlertRulesView::edit);
    connect(table_, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        menu->addAction(icon(QStringLiteral("edit")), edit_->text(), this, &AlertRulesView::edit);
        menu->addAction(switch_->text(), this, &AlertRulesView::switch_over)
            ->setEnabled(switch_->isEnabled());
    });
    show_selection();
}

QWidget* AlertRulesView::build_actions() {
    edit_ = make_button(QStringLiteral("edit"), workspace_.can_act() ? tr("Change…") : tr("Try…"));
    switch_ = make_button(QStringLiteral("silence"), tr("Switch off"));
    connect(edit_, &QPushButton::clicked, this, &AlertRulesView::edit);
    connect(switch_, &QPushButton::clicked, this, &AlertRulesView::switch_over);
    auto* box = new QWidget;
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(8);
    row->addWidget(edit_);
    row->addWidget(switch_);
    row->addWidget(command_line_, 1);
    return box;
}

std::optional<AlertRule> AlertRulesView::selected() const {
    const auto rows = table_->selected_rows();
    const auto* rule = rows.isEmpty() ? nullptr : model_->row(rows.front());
    return rule ? std::optional(*rule) : std::nullopt;
}

void AlertRulesView::show_selection() {
    auto rule = selected();
    edit_->setEnabled(rule.has_value());
    switch_->setEnabled(rule.has_value() && workspace_.can_act());
    switch_->setText(rule && !rule->enabled ? tr("Switch on") : tr("Switch off"));
    switch_->setIcon(
        icon(rule && !rule->enabled ? QStringLiteral("alerts") : QStringLiteral("silence")));
    command_line_->setVisible(rule.has_value());
    if (!rule) return;
    rule->enabled = !rule->enabled;
    command_->setText(workspace_.command(switch_rule_words(*rule)));
}

void AlertRulesView::edit() {
    const auto rule = selected();
    if (!rule) return;
    auto* dialog = new AlertRuleDialog(workspace_, *rule, window());
    connect(dialog, &AlertRuleDialog::finished_run, this, &AlertRulesView::refresh);
    dialog->open();
}

void AlertRulesView::switch_over() {
    auto rule = selected();
    if (!rule) return;
    rule->enabled = !rule->enabled;
    switch_->setEnabled(false);
    workspace_.monitor(
        this, [rule = *rule](MonitoringPort& port) { return port.set_rule(rule); },
        [this](const Status& done) {
            problem_->setVisible(!done);
            problem_->setText(done ? QString() : error_text(done.error()));
            refresh();
        });
}

void AlertRulesView::refresh() {
    if (asking_ || !workspace_.has_monitoring()) return;
    asking_ = true;
    workspace_.monitor(
        this, [](MonitoringPort& port) { return port.rules(); },
        [this](Result<std::vector<AlertRule>> rules) { take(std::move(rules)); });
}

void AlertRulesView::take(Result<std::vector<AlertRule>> rules) {
    asking_ = false;
    if (rules) {
        rules_ = std::move(*rules);
        model_->show(rules_);
    } else if (model_->rowCount() == 0) {
        empty_->set_text(workspace_.unknown_title(tr("The rules cannot be asked for")),
                         error_text(rules.error()));
    }
    stack_->setCurrentWidget(model_->rowCount() ? static_cast<QWidget*>(table_) : empty_);
    show_selection();
    Q_EMIT answered();
}

}  // namespace snakepit::shm::ui
