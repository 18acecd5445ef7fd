// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/task_dialog.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/models/format.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

TaskDialog::TaskDialog(Workspace& workspace, const QString& title, const QString& text,
                       QWidget* parent)
    : QDialog(parent),
      workspace_(workspace),
      body_(new QVBoxLayout),
      buttons_(new QHBoxLayout),
      message_(new QLabel),
      close_(new QPushButton(tr("Cancel"))) {
    setWindowTitle(title);
    setAttribute(Qt::WA_DeleteOnClose);
    resize(1000, 560);
    auto* intro = make_label(text, "muted");
    intro->setWordWrap(true);
    message_->setWordWrap(true);
    message_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    message_->hide();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(22, 20, 22, 18);
    column->setSpacing(12);
    column->addWidget(make_label(title, "page_title"));
    column->addWidget(intro);
    column->addLayout(body_, 1);
    body_->setSpacing(10);
    column->addWidget(message_);
    column->addLayout(buttons_);
    buttons_->addStretch();
    buttons_->addWidget(close_);
    close_->setAutoDefault(false);
    connect(close_, &QPushButton::clicked, this, &QDialog::reject);
}

void TaskDialog::fit(int width) {
    fits_ = true;
    resize(width, 1);  // the rest comes when it is shown
}

// Lines that are broken need a height that depends on the width, which a window is not given.
bool TaskDialog::event(QEvent* event) {
    const bool handled = QDialog::event(event);
    if (fits_ && (event->type() == QEvent::LayoutRequest || event->type() == QEvent::Show)) {
        const int needed = layout()->totalHeightForWidth(width());
        if (needed > height()) resize(width(), needed);
    }
    return handled;
}

QTableWidget* TaskDialog::add_table(Headings headings) {
    auto* table = make_table(headings, windowTitle());
    body_->addWidget(new Card(table), 1);
    return table;
}

void TaskDialog::add_command_line() {
    auto* line = make_command_line({});
    command_ = line->findChild<QLabel*>(u"command"_s);
    body_->addWidget(line);
}

void TaskDialog::set_command(const QString& command) {
    command_->setText(command);
}

void TaskDialog::set_message(const QString& text, Severity severity) {
    message_->setVisible(!text.isEmpty());
    message_->setText(text);
    message_->setStyleSheet(
        u"background: %1; color: %2; border-radius: 7px; padding: 8px 11px;"_s.arg(
            colours().severity(severity).fill.name(), colours().severity(severity).text.name()));
}

void TaskDialog::close_or_say(const Status& done, QPushButton* again) {
    if (done) return accept();
    set_message(error_text(done.error()), Severity::bad);
    again->setEnabled(true);
}

QPushButton* TaskDialog::add_action(QPushButton* button) {
    buttons_->addWidget(button);
    return button;
}

}  // namespace snakepit::shm::ui
