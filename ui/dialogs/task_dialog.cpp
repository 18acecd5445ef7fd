// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/task_dialog.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QScreen>
#include <QScrollArea>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/models/format.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr QSize kScreenEdge{24, 56};  // with the window's own frame

// As tall as its contents need, and scrolled where the screen is smaller.
class Body final : public QScrollArea {
  public:
    explicit Body(QWidget* content) {
        content->setObjectName(u"content"_s);
        setFocusPolicy(Qt::NoFocus);
        setWidgetResizable(true);
        viewport()->setAutoFillBackground(false);
        setWidget(content);
    }
    bool hasHeightForWidth() const override { return widget()->hasHeightForWidth(); }
    int heightForWidth(int width) const override { return widget()->heightForWidth(width); }
    QSize sizeHint() const override { return widget()->sizeHint(); }
    QSize minimumSizeHint() const override {
        return widget()->minimumSizeHint().boundedTo({320, 120});
    }
};

}  // namespace

TaskDialog::TaskDialog(Workspace& workspace, const QString& title, const QString& text,
                       QWidget* parent)
    : QDialog(parent),
      workspace_(workspace),
      body_(new QVBoxLayout),
      buttons_(new QHBoxLayout),
      message_(make_words()),
      close_(new QPushButton(tr("Cancel"))) {
    setWindowTitle(title);
    setAttribute(Qt::WA_DeleteOnClose);
    resize(1000, 560);
    message_->hide();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(22, 20, 22, 18);
    column->setSpacing(12);
    column->addWidget(make_label(title, "page_title"));
    column->addWidget(make_words(text, "muted"));
    auto* content = new QWidget;
    content->setLayout(body_);
    body_->setContentsMargins(0, 0, 0, 0);
    body_->setSpacing(10);
    column->addWidget(new Body(content), 1);
    column->addWidget(message_);
    column->addLayout(buttons_);
    buttons_->addStretch();
    buttons_->addWidget(close_);
    connect(close_, &QPushButton::clicked, this, [this] { done(QDialog::Rejected); });
}

// Return presses what has the focus, never another button.
void TaskDialog::keyPressEvent(QKeyEvent* event) {
    const bool enter = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
    if (!enter) return QDialog::keyPressEvent(event);
    auto* focused = qobject_cast<QAbstractButton*>(focusWidget());
    if (focused && !focused->isCheckable()) focused->click();
}

void TaskDialog::reject() {
    if (!has_changes() || std::exchange(warned_, true)) return QDialog::reject();
    set_message(tr("There are unsaved changes. Close again to discard them."), Severity::caution);
}

void TaskDialog::fit(int width) {
    fits_ = true;
    resize(width, 1);  // the rest comes when it is shown
}

// What of that size the screen has room for.
QSize TaskDialog::room(int width, int height) const {
    return QSize(width, height).boundedTo(screen()->availableSize() - kScreenEdge);
}

// Lines that are broken need a height that depends on the width, which a window is not given.
bool TaskDialog::event(QEvent* event) {
    const bool handled = QDialog::event(event);
    if (fits_ && (event->type() == QEvent::LayoutRequest || event->type() == QEvent::Show)) {
        const int needed = layout()->totalHeightForWidth(width());
        if (needed > height()) resize(room(width(), needed));
    }
    if (event->type() == QEvent::Show) resize(room(width(), height()));
    return handled;
}

QTableWidget* TaskDialog::add_table(Headings headings) {
    auto* table = make_table(headings, windowTitle());
    body_->addWidget(new Card(table), 1);
    return table;
}

void TaskDialog::add_command_line() {
    auto* line = make_command_line({});
    command_ = line->findChild<CommandText*>();
    line->hide();  // until there is one
    body_->addWidget(line);
}

void TaskDialog::set_command(const QString& command) {
    command_->parentWidget()->setVisible(!command.isEmpty());
    command_->set_command(command);
}

void TaskDialog::set_message(const QString& text, Severity severity) {
    message_->setVisible(!text.isEmpty());
    say(message_, text);
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
