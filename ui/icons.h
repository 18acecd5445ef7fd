// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QIcon>
#include <QString>

#include "ui/models/severity.h"

namespace snakepit::shm::ui {

// A line icon of resources/icons in the theme's colours, sharp at any scale. Follows theme changes.
QIcon icon(const QString& name, Severity severity = Severity::none);
// In the accent colour when checked, for navigation.
QIcon navigation_icon(const QString& name);
// On a filled button.
QIcon filled_icon(const QString& name);

}  // namespace snakepit::shm::ui
