// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/setting_dialog.h"

#include <QComboBox>
#include <QFormLayout>
#include <QLineEdit>

#include "config/config_edit.h"
#include "ui/models/format.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kWidth = 560;

}  // namespace

SettingDialog::SettingDialog(Workspace& workspace, const Configuration& configuration,
                             const Setting& setting, QWidget* parent)
    : TaskDialog(workspace, tr("Change a setting"), setting.meaning, parent),
      setting_(setting),
      file_(configuration.file),
      text_(configuration.text),
      run_(make_primary(tr("Change"))) {
    fit(kWidth);
    add_facts();
    add_editor();
    add_command_line();
    add_action(run_, this, &SettingDialog::run)->setDefault(true);
    check();
}

void SettingDialog::add_facts() {
    auto* facts = make_facts();
    add_fact(facts, tr("Key"))->setText(visible_text(QString::fromStdString(setting_.key)));
    add_fact(facts, tr("Default"))->setText(setting_text(setting_, setting_.standard));
    if (setting_.active)
        add_fact(facts, tr("In effect"))->setText(setting_text(setting_, *setting_.active));
    add_fact(facts, tr("File"))->setText(visible_text(QString::fromStdString(file_)));
    add_fact(facts, tr("Takes effect"))
        ->setText(setting_.waits ? tr("when the manager starts next") : tr("at once"));
    body()->addLayout(facts);
}

void SettingDialog::add_editor() {
    auto* form = make_form();
    QWidget* editor = nullptr;
    if (setting_.standard.isBool()) {
        choice_ = new QComboBox;
        choice_->addItems({u"true"_s, u"false"_s});
        choice_->setCurrentText(literal_text(setting_.value));
        connect(choice_, &QComboBox::currentIndexChanged, this, &SettingDialog::check);
        editor = choice_;
    } else {
        line_ = new QLineEdit(setting_.value.isString() ? setting_.value.toString()
                                                        : literal_text(setting_.value));
        line_->selectAll();
        connect(line_, &QLineEdit::textChanged, this, &SettingDialog::check);
        editor = line_;
    }
    editor->setAccessibleName(tr("New value"));
    form->addRow(make_label(tr("New value"), "muted"), editor);
    body()->addLayout(form);
    editor->setFocus();
}

// A word that looks like a number or a flag stays text where text is wanted; some keys take either.
QString SettingDialog::typed() const {
    if (choice_) return choice_->currentText();
    const auto text = line_->text().trimmed();
    if (!setting_.standard.isString()) return text;
    const auto valid = [this](const QString& value) {
        return with_key(text_, setting_.key, value.toStdString(), file_).has_value();
    };
    const auto quoted = literal_text(QJsonValue(text));
    return valid(quoted) || !valid(text) ? quoted : text;
}

bool SettingDialog::has_changes() const {
    return typed() != literal_text(setting_.value);
}

void SettingDialog::check() {
    const auto value = typed();
    set_command(workspace_.command(
        u"config set %1 %2"_s.arg(QString::fromStdString(setting_.key), shell_word(value))));
    const auto valid = with_key(text_, setting_.key, value.toStdString(), file_);
    set_message(valid ? QString() : error_text(valid.error()), Severity::bad);
    run_->setEnabled(valid.has_value() && (has_changes() || !setting_.in_file));
}

void SettingDialog::run() {
    run_->setEnabled(false);
    workspace_.configure(
        this,
        [key = setting_.key, shown = setting_.value, value = typed().toStdString()](
            ConfigurationPort& port) { return change_setting(port, key, shown, value); },
        [this](const Result<SettingChange>& done) {
            Q_EMIT finished_run();
            if (done) Q_EMIT changed(*done);
            close_or_say(done ? Status() : Status(fail(done.error())), run_);
        });
}

}  // namespace snakepit::shm::ui
