// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/details_card.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QScrollArea>
#include <QVBoxLayout>

#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

DetailsCard::DetailsCard(const QString& hint, int width, QWidget* parent)
    : QFrame(parent), hint_(make_label(hint, "muted")), scroll_(new QScrollArea) {
    setObjectName(u"card"_s);
    setMinimumWidth(width);
    hint_->setAlignment(Qt::AlignCenter);
    hint_->setWordWrap(true);
    hint_->setContentsMargins(24, 0, 24, 0);
    scroll_->setWidgetResizable(true);
    scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll_->viewport()->setAutoFillBackground(false);
    auto* inner = new QWidget;
    inner->setObjectName(u"content"_s);
    auto* rows = new QVBoxLayout(inner);
    rows->setContentsMargins(16, 14, 16, 14);
    rows->setSpacing(0);
    column_ = new QVBoxLayout;
    column_->setSpacing(8);
    rows->addLayout(column_);
    rows->addStretch();
    scroll_->setWidget(inner);
    auto* both = new QVBoxLayout(this);
    both->setContentsMargins(0, 0, 0, 0);
    both->addWidget(hint_, 1);
    both->addWidget(scroll_, 1);
    show_content(false);
}

void DetailsCard::show_hint(const QString& text) {
    say(hint_, text);
}

void DetailsCard::show_content(bool shown) {
    hint_->setVisible(!shown);
    scroll_->setVisible(shown);
}

QLabel* DetailsCard::add_section(const QString& title, QLabel* text) {
    column_->addWidget(make_label(title, "section"));
    column_->addWidget(text);
    column_->addSpacing(6);
    return text;
}

void DetailsCard::add_copy(QHBoxLayout* row, const QString& text, std::function<QString()> copied) {
    auto* copy = make_tool(u"copy"_s, text);
    connect(copy, &QToolButton::clicked, this,
            [copied = std::move(copied)] { QGuiApplication::clipboard()->setText(copied()); });
    row->addWidget(copy);
}

QToolButton* make_details_tool() {
    auto* tool = make_tool(u"details"_s, QObject::tr("Details"), u"Ctrl+D"_s);
    tool->setCheckable(true);
    tool->setChecked(true);
    return tool;
}

}  // namespace snakepit::shm::ui
