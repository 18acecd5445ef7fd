// SPDX-License-Identifier: GPL-3.0-or-later
// Tables that are filled by hand, drawn as all others are.
#pragma once

#include <QString>
#include <initializer_list>
#include <string>

#include "ui/models/severity.h"

class QTableWidget;

namespace snakepit::shm::ui {

struct Heading {
    QString title;
    int width = 0;  // pixels; 0: the table's own
};
using Headings = std::initializer_list<Heading>;

QTableWidget* make_table(Headings headings, const QString& accessible_name);

struct Cell {
    QString text;
    Severity severity = Severity::none;  // draws it as a chip
    bool number = false, monospace = false;
};
inline Cell number_cell(const QString& text) {
    return {text, Severity::none, true};
}
inline Cell id_cell(const std::string& id) {
    return {QString::fromStdString(id), Severity::none, false, true};
}

void set_cell(QTableWidget* table, int row, int column, const Cell& cell);
// From the first column on.
void set_row(QTableWidget* table, int row, std::initializer_list<Cell> cells);

}  // namespace snakepit::shm::ui
