// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/silence_dialog.h"

#include <QComboBox>
#include <QFormLayout>
#include <QLineEdit>

#include "ui/models/alert_text.h"
#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

enum What { kThis, kRule, kSubject };
constexpr qint64 kMinuteMillis = 60'000, kHourMillis = 60 * kMinuteMillis;

}  // namespace

SilenceDialog::SilenceDialog(Workspace& workspace, const Alert& alert, QWidget* parent)
    : TaskDialog(workspace, tr("Silence"),
                 tr("Alerts that match a silence send no notifications and run no hooks. They are "
                    "still evaluated, shown and recorded."),
                 parent),
      alert_(alert),
      what_(new QComboBox),
      time_(new QComboBox),
      comment_(new QLineEdit),
      run_(make_primary(tr("Silence"))) {
    fit(640);
    add_form();
    add_command_line();
    add_action(run_, this, &SilenceDialog::run)->setDefault(true);
    connect(what_, &QComboBox::currentIndexChanged, this, &SilenceDialog::show_command);
    connect(time_, &QComboBox::currentIndexChanged, this, &SilenceDialog::show_command);
    connect(comment_, &QLineEdit::textChanged, this, &SilenceDialog::show_command);
    show_command();
}

void SilenceDialog::add_form() {
    const auto title = visible_text(alert_title(alert_));
    const auto subject = visible_text(subject_text(alert_.subject));
    what_->addItem(tr("%1, about %2").arg(title, subject), kThis);
    what_->addItem(tr("%1, all subjects").arg(title), kRule);
    if (!alert_.subject.empty()) what_->addItem(tr("All alerts about %1").arg(subject), kSubject);
    const std::pair<QString, qint64> times[] = {{tr("For 15 minutes"), 15 * kMinuteMillis},
                                                {tr("For an hour"), kHourMillis},
                                                {tr("For 4 hours"), 4 * kHourMillis},
                                                {tr("For a day"), 24 * kHourMillis},
                                                {tr("For a week"), 7 * 24 * kHourMillis},
                                                {tr("Until the matching alerts are resolved"), 0}};
    for (const auto& [name, millis] : times) time_->addItem(name, millis);
    time_->setCurrentIndex(1);
    comment_->setPlaceholderText(tr("Reason (optional)"));
    comment_->setMaxLength(400);
    what_->setAccessibleName(tr("Alerts to silence"));
    time_->setAccessibleName(tr("Duration"));
    comment_->setAccessibleName(tr("Comment"));
    // A long name must not make the dialog wide.
    what_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    auto* form = make_form();
    form->addRow(make_label(tr("Alerts"), "muted"), what_);
    form->addRow(make_label(tr("Duration"), "muted"), time_);
    form->addRow(make_label(tr("Comment"), "muted"), comment_);
    body()->addLayout(form);
}

AlertSilence SilenceDialog::silence() const {
    AlertSilence silence;
    const auto what = what_->currentData().toInt();
    if (what != kSubject) silence.rule = alert_.rule;
    if (what != kRule) silence.subject = alert_.subject;
    silence.comment = comment_->text().trimmed().toStdString();
    if (const auto millis = time_->currentData().toLongLong())
        silence.until = {now().micros + millis * 1000};
    return silence;
}

void SilenceDialog::show_command() {
    set_command(workspace_.command(silence_words(silence(), time_->currentData().toLongLong())));
}

void SilenceDialog::run() {
    run_and_close(run_, [order = silence()](MonitoringPort& port) { return port.silence(order); });
}

}  // namespace snakepit::shm::ui
