// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/task_dialog.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

TaskDialog::TaskDialog(const QString& title, const QString& text, QWidget* parent)
    : QDialog(parent),
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

QTableWidget* TaskDialog::add_table(const QStringList& headers) {
    auto* table = new QTableWidget(0, static_cast<int>(headers.size()));
    table->setHorizontalHeaderLabels(headers);
    table->setItemDelegate(new RowDelegate(table));
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table->setShowGrid(false);
    table->setWordWrap(false);
    table->setTabKeyNavigation(false);
    table->verticalHeader()->hide();
    table->verticalHeader()->setDefaultSectionSize(32);
    table->horizontalHeader()->setStretchLastSection(true);
    table->horizontalHeader()->setHighlightSections(false);
    table->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    table->setAccessibleName(windowTitle());
    auto* card = new Card;
    card->body()->addWidget(table);
    body_->addWidget(card, 1);
    return table;
}

void TaskDialog::set_cell(QTableWidget* table, int row, int column, const QString& text, Tone tone,
                          bool number, bool mono) {
    auto* item = new QTableWidgetItem(text);
    item->setData(kToneRole, static_cast<int>(tone));
    item->setData(kMonospaceRole, mono);
    item->setToolTip(text);
    const auto alignment = Qt::AlignVCenter | (number ? Qt::AlignRight : Qt::AlignLeft);
    item->setTextAlignment(alignment);
    table->horizontalHeaderItem(column)->setTextAlignment(alignment);
    table->setItem(row, column, item);
}

void TaskDialog::add_command_line() {
    auto* line = make_command_line({});
    command_ = line->findChild<QLabel*>(QStringLiteral("command"));
    body_->addWidget(line);
}

void TaskDialog::set_command(const QString& command) {
    command_->setText(command);
}

void TaskDialog::set_message(const QString& text, Tone tone) {
    message_->setVisible(!text.isEmpty());
    message_->setText(text);
    message_->setStyleSheet(
        QStringLiteral("background: %1; color: %2; border-radius: 7px; padding: 8px 11px;")
            .arg(colours().tone(tone).fill.name(), colours().tone(tone).text.name()));
}

QPushButton* TaskDialog::add_action(QPushButton* button) {
    buttons_->addWidget(button);
    return button;
}

}  // namespace snakepit::shm::ui
