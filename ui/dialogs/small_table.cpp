// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/small_table.h"

#include <QHeaderView>
#include <QTableWidget>

#include "ui/models/visible_text.h"
#include "ui/pages/table_view.h"

namespace snakepit::shm::ui {

QTableWidget* make_table(Headings headings, const QString& accessible_name) {
    auto* table = new QTableWidget(0, static_cast<int>(headings.size()));
    int column = 0;
    for (const auto& [title, width] : headings) {
        table->setHorizontalHeaderItem(column, new QTableWidgetItem(title));
        if (width > 0) table->setColumnWidth(column, width);
        ++column;
    }
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
    table->setAccessibleName(accessible_name);
    return table;
}

void set_cell(QTableWidget* table, int row, int column, const Cell& cell) {
    auto* item = new QTableWidgetItem(visible_text(cell.text));
    item->setData(kSeverityRole, static_cast<int>(cell.severity));
    item->setData(kMonospaceRole, cell.monospace);
    item->setToolTip(tooltip_text(cell.text));
    const auto alignment = Qt::AlignVCenter | (cell.number ? Qt::AlignRight : Qt::AlignLeft);
    item->setTextAlignment(alignment);
    table->horizontalHeaderItem(column)->setTextAlignment(alignment);
    table->setItem(row, column, item);
}

void set_row(QTableWidget* table, int row, std::initializer_list<Cell> cells) {
    int column = 0;
    for (const auto& cell : cells) set_cell(table, row, column++, cell);
}

}  // namespace snakepit::shm::ui
