// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/alert_rules_view.h"

#include <QMenu>

#include "ui/dialogs/alert_rule_dialog.h"
#include "ui/icons.h"
#include "ui/models/alert_rule_model.h"
#include "ui/models/alert_text.h"
#include "ui/models/format.h"
#include "ui/models/rule_change.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

AlertRulesView::AlertRulesView(Workspace& workspace, QWidget* parent)
    : AskedTable(workspace, u"alert_rules"_s,
                 new EmptyState(u"alerts"_s, tr("Loading the rules…"), {}), parent),
      model_(new AlertRuleModel(this)) {
    show_model(model_);
    table()->set_default_columns(
        {kRuleTitle, kRuleEnabled, kRuleSeverity, kRuleCondition, kRuleGroup, kRuleOrigin},
        {300, 90, 104, 400, 130, 100});
    table()->setColumnWidth(kRuleName, 180);
    table()->setSelectionMode(QAbstractItemView::SingleSelection);
    table()->setSortingEnabled(false);
    table()->setAccessibleName(tr("Rules"));
    table()->restore_layout();
    build_actions();
    connect(model_, &QAbstractItemModel::dataChanged, this, &AlertRulesView::show_selection);
    connect(table(), &QTableView::activated, this, &AlertRulesView::edit);
    connect(table(), &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        menu->addAction(icon(u"edit"_s), edit_->text(), this, &AlertRulesView::edit);
        menu->addAction(switch_->text(), this, &AlertRulesView::switch_over)
            ->setEnabled(switch_->isEnabled());
    });
    connect(&workspace_, &Workspace::moment_changed, this, &AlertRulesView::show_selection);
    show_selection();
}

void AlertRulesView::build_actions() {
    edit_ = make_button(u"edit"_s, {}, this, &AlertRulesView::edit);
    switch_ = make_button(u"silence"_s, tr("Disable"), this, &AlertRulesView::switch_over);
    add_action(edit_);
    add_action(switch_);
}

std::optional<AlertRule> AlertRulesView::selected() const {
    const auto rows = table()->selected_rows();
    const auto* rule = rows.isEmpty() ? nullptr : model_->row(rows.front());
    return rule ? std::optional(*rule) : std::nullopt;
}

void AlertRulesView::show_selection() {
    auto rule = selected();
    edit_->setEnabled(rule.has_value());
    edit_->setText(workspace_.can_act() ? tr("Change…") : tr("Test…"));
    allow(switch_, rule.has_value(), workspace_.why_not());
    switch_->setText(rule && !rule->enabled ? tr("Enable") : tr("Disable"));
    switch_->setIcon(icon(rule && !rule->enabled ? u"alerts"_s : u"silence"_s));
    if (rule) rule->enabled = !rule->enabled;
    show_command(rule ? workspace_.command(switch_rule_words(*rule)) : QString());
}

void AlertRulesView::edit() {
    const auto rule = selected();
    if (!rule) return;
    auto* dialog = new AlertRuleDialog(workspace_, *rule, window());
    connect(dialog, &AlertRuleDialog::finished_run, this, &AlertRulesView::refresh);
    dialog->open();
}

void AlertRulesView::switch_over() {
    const auto shown = selected();
    if (!shown) return;
    auto wanted = *shown;
    wanted.enabled = !wanted.enabled;
    switch_->setEnabled(false);
    failure_.reset();
    workspace_.monitor(
        this,
        [shown = *shown, wanted](MonitoringPort& port) { return change_rule(port, shown, wanted); },
        [this](RuleChange change) {
            if (change.changed)
                change.done = fail(ErrorCode::invalid_argument,
                                   "another user has changed this rule since it was shown",
                                   "check it and try again");
            failure_ = change.done ? std::nullopt : std::optional(change.done.error());
            refresh();
        });
}

void AlertRulesView::refresh() {
    ask([](MonitoringPort& port) { return port.rules(); },
        [this](Result<std::vector<AlertRule>> rules) { receive(std::move(rules)); });
}

void AlertRulesView::receive(Result<std::vector<AlertRule>> rules) {
    if (rules) {
        rules_ = std::move(*rules);
        model_->show(rules_);
    } else if (model_->rowCount() == 0) {
        empty()->set_text(workspace_.unknown_title(tr("The rules could not be loaded")),
                          error_text(rules.error()));
    }
    const bool stale = !rules && model_->rowCount() > 0;
    show_problem(stale ? &rules.error() : failure_ ? &*failure_ : nullptr);
    show_rows();
    show_selection();
    Q_EMIT answered();
}

}  // namespace snakepit::shm::ui
