// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/small_table.h"

#include <QHeaderView>
#include <QTableWidget>

#include "ui/pages/table_view.h"

namespace snakepit::shm::ui {

QTableWidget* make_table(const QStringList& headers, const QString& accessible_name) {
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
    table->setAccessibleName(accessible_name);
    return table;
}

void set_cell(QTableWidget* table, int row, int column, const QString& text, Tone tone, bool number,
              bool mono) {
    auto* item = new QTableWidgetItem(text);
    item->setData(kToneRole, static_cast<int>(tone));
    item->setData(kMonospaceRole, mono);
    item->setToolTip(text);
    const auto alignment = Qt::AlignVCenter | (number ? Qt::AlignRight : Qt::AlignLeft);
    item->setTextAlignment(alignment);
    table->horizontalHeaderItem(column)->setTextAlignment(alignment);
    table->setItem(row, column, item);
}

}  // namespace snakepit::shm::ui
