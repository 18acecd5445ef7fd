// SPDX-License-Identifier: GPL-3.0-or-later
// Widgets as a person finds them. Null when there is none.
#pragma once

#include <QPushButton>
#include <QWidget>

namespace snakepit::shm::ui {

template <typename Widget>
Widget* named(QWidget& parent, const QString& accessible_name) {
    for (auto* widget : parent.findChildren<Widget*>())
        if (widget->accessibleName() == accessible_name) return widget;
    return nullptr;
}

inline QPushButton* primary(QWidget& dialog) {
    for (auto* button : dialog.findChildren<QPushButton*>())
        if (button->property("primary").toBool()) return button;
    return nullptr;
}

}  // namespace snakepit::shm::ui
