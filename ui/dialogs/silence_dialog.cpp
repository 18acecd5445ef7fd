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
constexpr qint64 kMinute = 60'000, kHour = 60 * kMinute;

}  // namespace

SilenceDialog::SilenceDialog(Workspace& workspace, const Alert& alert, QWidget* parent)
    : TaskDialog(tr("Silence"),
                 tr("Nobody is told of what a silence matches: no notification, no hook. It is "
                    "watched, shown and recorded all the same."),
                 parent),
      workspace_(workspace),
      alert_(alert),
      what_(new QComboBox),
      time_(new QComboBox),
      comment_(new QLineEdit),
      run_(make_primary(tr("Silence"))) {
    fit(640);
    add_form();
    add_command_line();
    add_action(run_)->setDefault(true);
    connect(what_, &QComboBox::currentIndexChanged, this, &SilenceDialog::show_command);
    connect(time_, &QComboBox::currentIndexChanged, this, &SilenceDialog::show_command);
    connect(comment_, &QLineEdit::textChanged, this, &SilenceDialog::show_command);
    connect(run_, &QPushButton::clicked, this, &SilenceDialog::run);
    show_command();
}

void SilenceDialog::add_form() {
    const auto title = alert_title(alert_);
    const auto subject = subject_text(alert_.subject);
    what_->addItem(tr("%1, about %2").arg(title, subject), kThis);
    what_->addItem(tr("%1, whatever it is about").arg(title), kRule);
    if (!alert_.subject.empty()) what_->addItem(tr("Everything about %1").arg(subject), kSubject);
    const std::pair<QString, qint64> times[] = {
        {tr("For 15 minutes"), 15 * kMinute}, {tr("For an hour"), kHour},
        {tr("For 4 hours"), 4 * kHour},       {tr("For a day"), 24 * kHour},
        {tr("For a week"), 7 * 24 * kHour},   {tr("Until what it matches now is resolved"), 0}};
    for (const auto& [name, millis] : times) time_->addItem(name, millis);
    time_->setCurrentIndex(1);
    comment_->setPlaceholderText(tr("Why (optional)"));
    comment_->setMaxLength(400);
    what_->setAccessibleName(tr("What is silenced"));
    time_->setAccessibleName(tr("For how long"));
    comment_->setAccessibleName(tr("Comment"));
    // A long name must not make the dialog wide.
    what_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    auto* form = new QFormLayout;
    form->setLabelAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    form->setHorizontalSpacing(16);
    form->setVerticalSpacing(10);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    form->addRow(make_label(tr("What"), "muted"), what_);
    form->addRow(make_label(tr("How long"), "muted"), time_);
    form->addRow(make_label(tr("Why"), "muted"), comment_);
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
    run_->setEnabled(false);
    workspace_.monitor(
        this, [order = silence()](MonitoringPort& port) { return port.silence(order); },
        [this](const Status& done) {
            Q_EMIT finished_run();
            close_or_say(done, run_);
        });
}

}  // namespace snakepit::shm::ui
