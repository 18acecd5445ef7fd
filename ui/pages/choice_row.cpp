// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/choice_row.h"

#include <QButtonGroup>
#include <QHBoxLayout>
#include <QToolButton>

#include "ui/literals.h"

namespace snakepit::shm::ui {

ChoiceRow::ChoiceRow(const QStringList& names, QWidget* parent)
    : QWidget(parent), buttons_(new QButtonGroup(this)) {
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(6);
    for (const auto& name : names) {
        auto* button = new QToolButton;
        button->setObjectName(u"choice"_s);
        button->setCheckable(true);
        button->setText(name);
        button->setAccessibleName(name);
        buttons_->addButton(button, static_cast<int>(buttons_->buttons().size()));
        row->addWidget(button);
    }
    buttons_->button(0)->setChecked(true);
    connect(buttons_, &QButtonGroup::idToggled, this, [this](int index, bool on) {
        if (on) Q_EMIT chosen(index);
    });
}

int ChoiceRow::current() const {
    return buttons_->checkedId();
}

void ChoiceRow::choose(int index) {
    buttons_->button(index)->setChecked(true);
}

void ChoiceRow::set_name(int index, const QString& name) {
    buttons_->button(index)->setText(name);
}

}  // namespace snakepit::shm::ui
