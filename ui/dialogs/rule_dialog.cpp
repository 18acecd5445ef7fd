// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/rule_dialog.h"

#include <QCheckBox>
#include <QCompleter>
#include <QFileDialog>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QStyle>
#include <QTimer>
#include <QToolButton>

#include "ui/models/format.h"
#include "ui/models/policy_text.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kRuleRestMillis = 200;

void complete(QLineEdit* field, const QStringList& words) {
    auto* completer = new QCompleter(words, field);
    completer->setCaseSensitivity(Qt::CaseInsensitive);
    completer->setFilterMode(Qt::MatchContains);
    field->setCompleter(completer);
}

QStringList programs_of(const PolicyReport& report) {
    QStringList out;
    for (const auto& client : report.clients)
        if (client.subject.program) out << to_qstring(client.subject.program->path);
    out.removeDuplicates();
    return out;
}

QStringList processes_of(const PolicyReport& report) {
    QStringList out;
    for (const auto& client : report.clients)
        out << QString::number(client.subject.credentials.pid);
    return out;
}

}  // namespace

RuleDialog::RuleDialog(Workspace& workspace, const PolicyRule& rule, const KnownNames& names,
                       const PolicyReport& report, QWidget* parent)
    : TaskDialog(workspace, rule.allow.empty() ? tr("Add a rule") : tr("Edit the rule"),
                 tr("The rule applies to processes that meet all conditions given here, in "
                    "addition to the permissions and the other rules."),
                 parent),
      before_(rule),
      report_(report),
      rest_(new QTimer(this)) {
    fit(560);
    user_ = add_field("user", tr("User"), tr("any user"), to_qstring(rule.user));
    group_ = add_field("group", tr("Group"), tr("any group"), to_qstring(rule.group));
    program_ = add_field("program", tr("Program"), tr("any program, or the path of an executable"),
                         to_qstring(rule.program));
    process_ = add_field("process", tr("Process id"), tr("any process"),
                         rule.process ? QString::number(rule.process) : QString());
    complete(user_, names.users);
    complete(group_, names.groups);
    complete(program_, programs_of(report));
    complete(process_, processes_of(report));
    auto* browse = make_tool(u"search"_s, tr("Choose a program"));
    static_cast<QHBoxLayout*>(program_->parentWidget()->layout())->addWidget(browse);
    connect(browse, &QToolButton::clicked, this, &RuleDialog::choose_program);
    add_rights();
    done_ = add_action(make_primary(rule.allow.empty() ? tr("Add rule") : tr("Change rule")));
    done_->setDefault(true);
    connect(done_, &QPushButton::clicked, this, [this] {
        Q_EMIT decided(this->rule());
        accept();
    });
    rest_->setSingleShot(true);
    rest_->setInterval(kRuleRestMillis);
    connect(rest_, &QTimer::timeout, this, &RuleDialog::ask);
    opened_ = this->rule();
    check();
    user_->setFocus();
}

QLineEdit* RuleDialog::add_field(const char* key, const QString& title, const QString& hint,
                                 const QString& value) {
    auto* line = new QWidget;
    auto* row = new QHBoxLayout(line);
    row->setContentsMargins(0, 0, 0, 0);
    auto* name = make_label(title, "section");
    name->setFixedWidth(92);
    auto* field = new QLineEdit(value);
    field->setPlaceholderText(hint);
    field->setAccessibleName(title);
    row->addWidget(name);
    row->addWidget(field, 1);
    auto* note = make_words();
    note->setContentsMargins(98, 0, 0, 0);
    note->hide();
    notes_[key] = note;
    body()->addWidget(line);
    body()->addWidget(note);
    connect(field, &QLineEdit::textChanged, this, &RuleDialog::check);
    return field;
}

void RuleDialog::add_rights() {
    auto* line = new QHBoxLayout;
    auto* name = make_label(tr("Allow"), "section");
    name->setFixedWidth(92);
    line->addWidget(name);
    read_ = new QCheckBox(tr("read"));
    write_ = new QCheckBox(tr("write"));
    manage_ = new QCheckBox(tr("manage"));
    manage_->setToolTip(tr("Deallocate it, seal it, change its policy"));
    read_->setChecked(before_.allow.has(Right::read) || before_.allow.empty());
    write_->setChecked(before_.allow.has(Right::write));
    manage_->setChecked(before_.allow.has(Right::manage));
    for (auto* box : {read_, write_, manage_}) {
        line->addWidget(box);
        connect(box, &QCheckBox::toggled, this, &RuleDialog::check);
    }
    line->addStretch();
    body()->addLayout(line);
    auto* note = make_words();
    note->setContentsMargins(98, 0, 0, 0);
    notes_["allow"] = note;
    body()->addWidget(note);
    body()->addStretch();
}

void RuleDialog::choose_program() {
    const auto file = QFileDialog::getOpenFileName(this, tr("Choose a program"), u"/usr/bin"_s);
    if (!file.isEmpty()) program_->setText(file);
}

PolicyRule RuleDialog::rule() const {
    PolicyRule rule;
    rule.user = user_->text().trimmed().toStdString();
    rule.group = group_->text().trimmed().toStdString();
    rule.program = program_->text().trimmed().toStdString();
    rule.process = process_->text().trimmed().toLongLong();
    // The same process as before, unless another one is named.
    if (rule.process == before_.process) rule.process_start = before_.process_start;
    if (read_->isChecked()) rule.allow.add(Right::read);
    if (write_->isChecked()) rule.allow.add(Right::write);
    if (manage_->isChecked()) rule.allow.add(Right::manage);
    return rule;
}

void RuleDialog::show_note(const std::string& key, const QString& text, Severity severity) {
    const auto found = notes_.find(key);
    if (found == notes_.end()) return;
    found->second->setVisible(!text.isEmpty());
    say(found->second, text);
    found->second->setStyleSheet(u"color: %1"_s.arg(colours().severity(severity).text.name()));
}

// What the manager would refuse, checked without asking it.
void RuleDialog::check() {
    for (const auto& [key, note] : notes_) note->hide();
    read_->setEnabled(!write_->isChecked());
    if (write_->isChecked()) read_->setChecked(true);  // writing comes with reading
    const auto wanted = rule();
    bool number = true;
    const auto process = process_->text().trimmed();
    if (!process.isEmpty()) {
        process.toLongLong(&number);
        number = number && wanted.process > 0;
        if (!number)
            show_note("process", tr("Expected a process id: a whole number above 0."),
                      Severity::bad);
    }
    const bool absolute = wanted.program.empty() || wanted.program.front() == '/';
    if (!absolute)
        show_note("program", tr("Enter the absolute path, such as /usr/bin/reader."),
                  Severity::bad);
    if (wanted.allow.empty()) show_note("allow", tr("Select at least one right."), Severity::bad);
    const auto checked = check_rule(wanted, "rule");
    const bool said = !number || !absolute || wanted.allow.empty();
    if (!checked && !said) show_note("user", error_text(checked.error()), Severity::bad);
    for (auto* field : {process_, program_}) {
        field->setProperty("invalid", field == process_ ? !number : !absolute);
        field->style()->polish(field);
    }
    done_->setEnabled(number && checked.has_value());
    rest_->start();
}

void RuleDialog::ask() {
    if (!done_->isEnabled()) return;
    Policy policy;
    policy.rules.push_back(rule());
    const auto job = [policy, report = report_](ManagerPort&) {
        SystemNameResolver names;
        return check_policy(policy, names, &report);
    };
    workspace_.ask(
        this, job, [this, token = latest_.next()](const std::vector<PolicyFinding>& findings) {
            if (!latest_.is(token) || !done_->isEnabled()) return;
            for (const auto& finding : findings) {
                const auto dot = finding.where.find('.');
                show_note(dot == std::string::npos ? "allow" : finding.where.substr(dot + 1),
                          finding_text(finding), Severity::caution);
            }
        });
}

}  // namespace snakepit::shm::ui
