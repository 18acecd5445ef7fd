// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/region_table.h"

#include <QHeaderView>
#include <QMenu>
#include <QPainter>

#include "ui/icons.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

RegionTable::RegionTable(Workspace& workspace, const QString& settings_key, QWidget* parent)
    : TableView(settings_key, parent),
      workspace_(workspace),
      regions_(new RegionTableModel(workspace.regions(), this)),
      empty_text_(tr("No regions.")) {
    setModel(regions_);
    for (int column = 0; column < kRegionColumns; ++column)
        setColumnWidth(column, region_column(column).width);
    setAccessibleName(tr("Regions"));
    horizontalHeader()->setSortIndicator(kColumnAge, Qt::AscendingOrder);
    setSortingEnabled(true);
    connect(regions_, &RegionTableModel::hiding, this, &RegionTable::keep_hidden);
    connect(regions_, &RegionTableModel::restructured, this, &RegionTable::show_kept);
    connect(selectionModel(), &QItemSelectionModel::selectionChanged, this, [this] {
        if (keeping_) return;
        hidden_.clear();
        Q_EMIT selection_edited();
    });
    while_visible(this, &workspace, &Workspace::second_passed, [this] { regions_->clock_tick(); });
    connect(this, &TableView::about_to_show_menu, this, [this](QMenu* menu) {
        const auto id = currentIndex().data(kIdRole).toString();
        menu->addAction(icon(u"events"_s), tr("Show events"), this,
                        [this, id] { Q_EMIT workspace_.show_events_of(id); });
    });
}

void RegionTable::keep_hidden(const std::vector<Slot>& slots) {
    keeping_ = true;
    if (selectionModel()->hasSelection())
        for (const auto slot : slots) {
            const auto key = workspace_.regions().at(slot)->key();
            if (selectionModel()->isRowSelected(regions_->row_of(key))) hidden_.insert(key);
        }
    // The rows go within this event; what they take from the selection is no edit.
    QMetaObject::invokeMethod(
        this, [this] { keeping_ = false; }, Qt::QueuedConnection);
}

void RegionTable::show_kept() {
    if (hidden_.empty()) return;
    keeping_ = true;
    QItemSelection back;
    for (auto key = hidden_.begin(); key != hidden_.end();) {
        const int row = regions_->row_of(*key);
        if (row >= 0)
            back.select(regions_->index(row, 0), regions_->index(row, kRegionColumns - 1));
        key = row >= 0 || !workspace_.regions().find(*key) ? hidden_.erase(key) : std::next(key);
    }
    selectionModel()->select(back, QItemSelectionModel::Select);
    keeping_ = false;
}

std::vector<RegionKey> RegionTable::selected_keys() const {
    std::vector<RegionKey> keys;
    for (const int row : selected_rows()) keys.push_back(regions_->entry(row)->key());
    for (const auto& key : hidden_)
        if (workspace_.regions().find(key)) keys.push_back(key);
    return keys;
}

void RegionTable::select_keys(const std::vector<RegionKey>& keys) {
    keeping_ = true;
    hidden_.clear();
    QItemSelection rows;
    for (const auto& key : keys) {
        const int row = regions_->row_of(key);
        if (row >= 0)
            rows.select(regions_->index(row, 0), regions_->index(row, kRegionColumns - 1));
        else if (workspace_.regions().find(key))
            hidden_.insert(key);
    }
    selectionModel()->select(rows, QItemSelectionModel::ClearAndSelect);
    if (!rows.isEmpty()) scrollTo(rows.indexes().first());
    keeping_ = false;
}

// Rows do not move under the pointer.
void RegionTable::enterEvent(QEnterEvent* event) {
    regions_->set_order_held(true);
    TableView::enterEvent(event);
}

void RegionTable::leaveEvent(QEvent* event) {
    regions_->set_order_held(false);
    TableView::leaveEvent(event);
}

void RegionTable::set_empty_text(const QString& text) {
    empty_text_ = text;
    viewport()->update();
}

void RegionTable::paintEvent(QPaintEvent* event) {
    TableView::paintEvent(event);
    if (regions_->rowCount() > 0) return;
    QPainter painter(viewport());
    painter.setPen(colours().muted);
    painter.drawText(viewport()->rect(), Qt::AlignCenter, empty_text_);
}

}  // namespace snakepit::shm::ui
