// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/region_table.h"

#include <QHash>
#include <QHeaderView>
#include <QMenu>
#include <QPainter>
#include <algorithm>
#include <iterator>

#include "ui/icons.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/filter_line.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

// What a column is called in the filter language; empty: it has no field.
QString filter_field(int column) {
    static const QHash<int, QString> fields{
        {kColumnName, u"name"_s},
        {kColumnState, u"state"_s},
        {kColumnSize, u"size"_s},
        {kColumnReserved, u"actual"_s},
        {kColumnReferences, u"refs"_s},
        {kColumnOwner, u"owner"_s},
        {kColumnPid, u"pid"_s},
        {kColumnUser, u"uid"_s},
        {kColumnWorker, u"worker"_s},
        {kColumnSession, u"session"_s},
        {kColumnCleanup, u"cleanup"_s},
        {kColumnSecurity, u"security"_s},
        {kColumnPlacement, u"placement"_s},
        {kColumnAccesses, u"accesses"_s},
    };
    return fields.value(column);
}

}  // namespace

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
    connect(&workspace, &Workspace::period_changed, this, [this] {
        const auto& period = workspace_.period();
        regions_->set_latest(period ? std::optional(period->to) : std::nullopt);
    });
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
    // The rows go within this event; what they take from the selection is not an edit.
    QMetaObject::invokeMethod(
        this,
        [this] {
            keeping_ = false;
            Q_EMIT hidden_changed();
        },
        Qt::QueuedConnection);
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
    Q_EMIT hidden_changed();
}

std::vector<RegionKey> RegionTable::hidden_keys() const {
    std::vector<RegionKey> keys;
    std::copy_if(hidden_.begin(), hidden_.end(), std::back_inserter(keys),
                 [this](const auto& key) { return workspace_.regions().find(key) != nullptr; });
    return keys;
}

std::vector<RegionKey> RegionTable::selected_keys() const {
    std::vector<RegionKey> keys;
    for (const int row : selected_rows())
        if (const auto* entry = regions_->entry(row)) keys.push_back(entry->key());
    const auto hidden = hidden_keys();
    keys.insert(keys.end(), hidden.begin(), hidden.end());
    return keys;
}

void RegionTable::drop_hidden() {
    hidden_.clear();
    Q_EMIT selection_edited();
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
    Q_EMIT hidden_changed();
}

FilterLine* RegionTable::make_filter() {
    auto* line = new FilterLine(
        tr("Filter"), tr("Filter:  size>1MiB  owner:python  state:orphan  refs=0  age>10m  words…"),
        u"regions"_s);
    line->drive<RegionFilter>(
        [this](RegionFilter filter) { regions_->set_filter(std::move(filter)); });
    connect(regions_, &RegionTableModel::counts_changed, line,
            [this, line] { line->show_counts(regions_->shown(), regions_->total()); });
    line->show_counts(regions_->shown(), regions_->total());
    connect(this, &TableView::about_to_show_menu, line,
            [this, line](QMenu* menu) { offer_terms(*menu, *line); });
    return line;
}

// Of the cell that was clicked: only rows like it, or all others.
void RegionTable::offer_terms(QMenu& menu, FilterLine& line) {
    const auto field = filter_field(currentIndex().column());
    const auto value = currentIndex().data(kExportRole).toString();
    if (field.isEmpty() || value.isEmpty() || value.contains(u'"')) return;
    const bool number = currentIndex().data(kExportRole).typeId() != QMetaType::QString;
    const auto term =
        field + (number ? u'=' : u':') + (value.contains(u' ') ? u'"' + value + u'"' : value);
    menu.addSeparator();
    const auto offer = [&menu, &line](const QString& words, const QString& what) {
        menu.addAction(icon(u"filter"_s), visible_text(words).replace(u'&', u"&&"_s), &line,
                       [&line, what] { line.add_term(what); });
    };
    offer(tr("Only %1").arg(term), term);
    offer(tr("Not %1").arg(term), u'-' + term);
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
