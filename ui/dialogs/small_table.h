// SPDX-License-Identifier: GPL-3.0-or-later
// Tables that are filled by hand, drawn as all others are.
#pragma once

#include <QStringList>

#include "ui/models/tone.h"

class QTableWidget;

namespace snakepit::shm::ui {

QTableWidget* make_table(const QStringList& headers, const QString& accessible_name);
// One cell; `tone` draws it as a chip.
void set_cell(QTableWidget* table, int row, int column, const QString& text, Tone tone = Tone::none,
              bool number = false, bool mono = false);

}  // namespace snakepit::shm::ui
