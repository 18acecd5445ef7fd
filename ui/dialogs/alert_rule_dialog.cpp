// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/alert_rule_dialog.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QTableWidget>

#include "base/units.h"
#include "layout/metrics.h"
#include "ui/models/alert_text.h"
#include "ui/models/format.h"
#include "ui/models/rule_change.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kWeek = 7 * 86'400'000LL;
constexpr std::size_t kListed = 200;
constexpr int kTypingRestMillis = 350;  // typing asks once it rests

QString threshold_hint(std::string_view unit) {
    if (unit == "ratio") return AlertRuleDialog::tr("a percentage: 90 %");
    if (unit == "bytes") return AlertRuleDialog::tr("a size: 1.5 GiB");
    if (unit == "seconds") return AlertRuleDialog::tr("a time: 250 ms");
    return AlertRuleDialog::tr("a number");
}

Result<std::int64_t> period(const QLineEdit* line) {
    return parse_duration(line->text().trimmed().toStdString());
}

QString lasted_text(const BacktestFiring& firing) {
    if (firing.resolved_at.micros == 0) return AlertRuleDialog::tr("not resolved");
    return duration_text((firing.resolved_at.micros - firing.fired_at.micros) / 1000);
}

}  // namespace

AlertRuleDialog::AlertRuleDialog(Workspace& workspace, const AlertRule& rule, QWidget* parent)
    : TaskDialog(workspace, rule_title(rule),
                 workspace.can_act()
                     ? tr("When this rule raises an alert. Changes apply immediately, including to "
                          "alerts that are already firing.")
                     : tr("When this rule raised an alert, and what a different rule would have "
                          "done with the recorded history. A bundle is read-only."),
                 parent),
      rule_(rule),
      run_(make_primary(tr("Save"))) {
    resize(860, 640);
    add_form();
    add_backtest();
    add_command_line();
    add_action(run_, this, &AlertRuleDialog::run)->setDefault(true);
    rest_.setSingleShot(true);
    rest_.setInterval(kTypingRestMillis);
    connect(&rest_, &QTimer::timeout, this, &AlertRuleDialog::backtest);
    apply_edit();
    backtest();
}

QLineEdit* AlertRuleDialog::add_line(QFormLayout* form, const QString& name, const QString& text,
                                     const QString& hint) {
    auto* line = new QLineEdit(text);
    line->setPlaceholderText(hint);
    line->setToolTip(hint);
    line->setAccessibleName(name);
    connect(line, &QLineEdit::textChanged, this, &AlertRuleDialog::apply_edit);
    form->addRow(make_label(name, "muted"), line);
    return line;
}

void AlertRuleDialog::add_form() {
    enabled_ = new QCheckBox(tr("Enabled"));
    enabled_->setChecked(rule_.enabled);
    severity_ = new QComboBox;
    severity_->setAccessibleName(tr("Severity"));
    for (const auto severity :
         {AlertSeverity::info, AlertSeverity::warning, AlertSeverity::critical})
        severity_->addItem(severity_title(severity), static_cast<int>(severity));
    severity_->setCurrentIndex(severity_->findData(static_cast<int>(rule_.severity)));
    comparison_ = new QComboBox;
    comparison_->setAccessibleName(tr("Comparison"));
    for (const auto way : {AlertComparison::above, AlertComparison::at_least,
                           AlertComparison::below, AlertComparison::at_most})
        comparison_->addItem(to_qstring(to_string(way)), static_cast<int>(way));
    comparison_->setCurrentIndex(comparison_->findData(static_cast<int>(rule_.comparison)));
    connect(enabled_, &QCheckBox::toggled, this, &AlertRuleDialog::apply_edit);
    connect(severity_, &QComboBox::currentIndexChanged, this, &AlertRuleDialog::apply_edit);
    connect(comparison_, &QComboBox::currentIndexChanged, this, &AlertRuleDialog::apply_edit);

    const auto unit = unit_of(rule_);
    auto* left = make_form();
    auto* right = make_form();
    left->addRow(make_label(tr("Severity"), "muted"), severity_);
    left->addRow(make_label(tr("Fires if the value is"), "muted"), comparison_);
    threshold_ =
        add_line(left, tr("Limit"), threshold_text(rule_.threshold, unit), threshold_hint(unit));
    resolve_ = add_line(
        left, tr("Resolved at"),
        rule_.resolve_threshold ? threshold_text(*rule_.resolve_threshold, unit) : QString(),
        tr("the same limit"));
    enabled_->setMinimumHeight(severity_->sizeHint().height());
    right->addRow(QString(), enabled_);
    for_ = add_line(right, tr("For"), period_text(rule_.for_ms),
                    tr("how long the condition must hold: 5m"));
    resolve_for_ =
        add_line(right, tr("Resolved after"), period_text(rule_.resolve_for_ms),
                 tr("how long the condition must not hold before the alert is resolved: 1m"));
    window_ = add_line(right, tr("Counted over"), period_text(rule_.window_ms),
                       tr("the period that is counted: 1m"));
    const auto* metric = find_metric(rule_.metric);
    right->setRowVisible(window_, rule_.event || (metric && metric->kind == MetricKind::counter));
    auto* forms = new QHBoxLayout;
    forms->setSpacing(28);
    forms->addLayout(left, 1);
    forms->addLayout(right, 1);
    body()->addLayout(forms);
}

void AlertRuleDialog::add_backtest() {
    condition_ = make_label({}, "snippet");
    condition_->setFont(Theme::instance().monospace());
    condition_->setWordWrap(true);
    condition_->setAccessibleName(tr("Condition"));
    body()->addWidget(condition_);
    past_ = make_label({}, "section");
    past_->setAccessibleName(tr("Backtest"));
    past_->setWordWrap(true);
    body()->addWidget(past_);
    firings_ = add_table(
        {{tr("Would have fired"), 190}, {tr("Lasted"), 110}, {tr("About"), 300}, {tr("Worst")}});
}

Result<AlertRule> AlertRuleDialog::edited() const {
    auto rule = rule_;
    const auto unit = unit_of(rule_);
    rule.enabled = enabled_->isChecked();
    rule.severity = static_cast<AlertSeverity>(severity_->currentData().toInt());
    rule.comparison = static_cast<AlertComparison>(comparison_->currentData().toInt());
    SHM_ASSIGN(rule.threshold, parse_threshold(threshold_->text(), unit));
    rule.resolve_threshold.reset();
    if (!resolve_->text().trimmed().isEmpty()) {
        SHM_ASSIGN(rule.resolve_threshold, parse_threshold(resolve_->text(), unit));
    }
    SHM_ASSIGN(rule.for_ms, period(for_));
    SHM_ASSIGN(rule.resolve_for_ms, period(resolve_for_));
    SHM_ASSIGN(rule.window_ms, period(window_));
    SHM_TRY(check(rule));
    return rule;
}

bool AlertRuleDialog::has_changes() const {
    const auto rule = edited();
    return workspace_.can_act() && (!rule || *rule != rule_);
}

void AlertRuleDialog::apply_edit() {
    const auto rule = edited();
    run_->setEnabled(rule && *rule != rule_ && workspace_.can_act());
    latest_.next();
    if (!rule) {
        set_message(error_text(rule.error()), Severity::bad);
        rest_.stop();
        return;
    }
    set_message({}, Severity::neutral);
    say(condition_, QString::fromStdString(condition_text(*rule)));
    set_command(workspace_.command(set_rule_words(*rule)));
    rest_.start();
}

void AlertRuleDialog::backtest() {
    rest_.stop();
    const auto rule = edited();
    if (!rule) return;
    say(past_, tr("Testing the rule on 7 days of history…"));
    workspace_.monitor(
        this, [rule = *rule](MonitoringPort& port) { return port.backtest(rule, kWeek); },
        [this, token = latest_.next()](const Result<Backtest>& past) {
            if (!latest_.is(token)) return;
            if (past)
                show_backtest(*past);
            else
                say(past_, tr("The backtest failed: %1").arg(error_text(past.error())));
            Q_EMIT backtested();
        });
}

void AlertRuleDialog::show_backtest(const Backtest& past) {
    const auto length = (past.to.micros - past.from.micros) / 1000;
    const auto stretch = length >= kWeek - 3'600'000
                             ? tr("the last 7 days")
                             : tr("the last %1 (all that is recorded)").arg(duration_text(length));
    say(past_, past.points == 0
                   ? tr("No history is recorded yet to test the rule on.")
                   : tr("Would have fired %1 in %2.")
                         .arg(pluralize(past.firings.size(), "time", "times"), stretch));
    const auto rows = std::min(past.firings.size(), kListed);
    firings_->setRowCount(static_cast<int>(rows));
    const auto unit = unit_of(rule_);
    for (std::size_t i = 0; i < rows; ++i) {
        const auto& firing = past.firings[past.firings.size() - 1 - i];  // newest first
        set_row(firings_, static_cast<int>(i),
                {{clock_text(firing.fired_at).section(u'.', 0, 0)},
                 {lasted_text(firing)},
                 {subject_text(firing.subject)},
                 {QString::fromStdString(value_text(firing.worst, unit))}});
    }
}

void AlertRuleDialog::run() {
    const auto rule = edited();
    if (!rule) return;
    run_->setEnabled(false);
    workspace_.monitor(
        this,
        [shown = rule_, rule = *rule](MonitoringPort& port) {
            return change_rule(port, shown, rule);
        },
        [this](const RuleChange& change) {
            Q_EMIT finished_run();
            if (!change.changed) return close_or_say(change.done, run_);
            rule_ = *change.changed;
            apply_edit();
            set_message(tr("Not saved: another user has changed the rule since it was opened here "
                           "(%1). Save again to replace it.")
                            .arg(QString::fromStdString(condition_text(rule_))),
                        Severity::caution);
        });
}

}  // namespace snakepit::shm::ui
