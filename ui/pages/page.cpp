// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/page.h"

#include <QHBoxLayout>
#include <QScrollArea>
#include <QVBoxLayout>

#include "ui/literals.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

Page::Page(Workspace& workspace, const QString& title, const QString& subtitle, QWidget* parent)
    : QWidget(parent),
      workspace_(workspace),
      actions_(new QHBoxLayout),
      body_(new QVBoxLayout),
      subtitle_(make_line(subtitle, "page_subtitle")) {
    setFocusPolicy(Qt::ClickFocus);  // no stop for Tab
    setAccessibleName(title);
    auto* words = new QVBoxLayout;
    words->setSpacing(1);
    words->addWidget(make_label(title, "page_title"));
    words->addWidget(subtitle_);
    auto* head = new QHBoxLayout;
    head->addLayout(words, 1);
    actions_->setSpacing(6);
    head->addLayout(actions_);
    auto* content = new QWidget;
    content->setObjectName(u"content"_s);
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(22, 18, 22, 16);
    column->setSpacing(14);
    column->addLayout(head);
    column->addLayout(body_, 1);
    body_->setSpacing(12);
    // Only where the window is smaller than the page can be.
    auto* scroll = new QScrollArea;
    scroll->setFocusPolicy(Qt::NoFocus);
    scroll->setWidgetResizable(true);
    scroll->viewport()->setAutoFillBackground(false);
    scroll->setWidget(content);
    auto* whole = new QVBoxLayout(this);
    whole->setContentsMargins(0, 0, 0, 0);
    whole->addWidget(scroll);
}

void Page::take_focus() {
    if (main_ && main_->isVisible())
        main_->setFocus();
    else
        setFocus();
}

void Page::add_actions(std::initializer_list<QWidget*> actions) {
    for (auto* action : actions) actions_->addWidget(action);
}

void Page::guard(QWidget* action) {
    const auto show = [this, action] { allow(action, true, workspace_.why_not()); };
    connect(&workspace_, &Workspace::moment_changed, action, show);
    show();
}

void Page::set_subtitle(const QString& text) {
    subtitle_->set_text(text);
}

}  // namespace snakepit::shm::ui
