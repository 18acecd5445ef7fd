// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/region_table_model.h"

#include "ui/models/region_columns.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kNewMillis = 3000;

QVariant unknown_cell(int role) {
    switch (role) {
        case Qt::DisplayRole:
            return u"–"_s;
        case kMutedRole:
            return true;
        case kSeverityRole:
            return static_cast<int>(Severity::none);
        case Qt::ToolTipRole:
            return QObject::tr("Not recorded for this moment");
        default:
            return {};
    }
}

bool is_new(const RegionEntry& entry) {
    return entry.appeared != 0 && monotonic_nanos() / 1'000'000 - entry.appeared < kNewMillis;
}

}  // namespace

RegionTableModel::RegionTableModel(RegionStore& store, QObject* parent)
    : ColumnModel(parent), store_(store) {
    connect(&store, &RegionStore::removing, this, &RegionTableModel::remove);
    connect(&store, &RegionStore::changed, this, &RegionTableModel::change);
    connect(this, &SortedIndex::counts_changed, this, &RegionTableModel::recount);
    refilter();
}

bool RegionTableModel::in_scope(Slot slot) const {
    const auto* entry = store_.at(slot);
    return entry && (!latest_ || entry->row.info.created_at <= *latest_) &&
           (!scope_ || scope_(entry->row));
}

bool RegionTableModel::is_wanted(Slot slot) const {
    if (!in_scope(slot)) return false;
    const auto* entry = store_.at(slot);
    return filter_.empty() || filter_.matches(entry->row.info, shown_now(), entry->search);
}

SortKey RegionTableModel::sort_key(Slot slot, int column) const {
    const auto& row = store_.at(slot)->row;
    auto key = region_columns()[static_cast<std::size_t>(column)].order(row);
    key.tie = static_cast<std::int64_t>(row.info.id.micros);
    return key;
}

bool RegionTableModel::comes_first(Slot a, Slot b) const {
    const auto &x = store_.at(a)->row.info.id, &y = store_.at(b)->row.info.id;
    return x != y ? x < y : a < b;
}

void RegionTableModel::set_filter(RegionFilter filter) {
    filter_ = std::move(filter);
    refilter();
}

void RegionTableModel::set_scope(Scope scope) {
    scope_ = std::move(scope);
    refilter();
}

void RegionTableModel::set_latest(std::optional<Timestamp> latest) {
    latest_ = latest;
    refilter();
}

void RegionTableModel::recount() {
    total_ = store_.size();
    if (!scope_ && !latest_) return;
    total_ = 0;
    for (Slot slot = 0; slot < store_.frontier(); ++slot) total_ += in_scope(slot) ? 1 : 0;
}

void RegionTableModel::clock_tick() {
    if (filter_.depends_on_time()) refilter_later();
    if (rowCount() > 0)
        Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1),
                           {Qt::DisplayRole});
}

const RegionRow* RegionTableModel::row(int number) const {
    if (number < 0 || number >= rowCount()) return nullptr;
    return is_gone(number) ? &gone_.at(number) : &entry(number)->row;
}

void RegionTableModel::keep_gone(int row, Slot slot) {
    gone_.emplace(row, store_.at(slot)->row);
}

std::span<const Column<RegionRow>> RegionTableModel::columns() const {
    return region_columns();
}

QVariant RegionTableModel::cell(int row, int column, int role) const {
    const auto* shown = this->row(row);
    if (!shown) return {};
    if (role == kIdRole) return QString::fromStdString(shown->info.id.str());
    if (role == kNewRole) return entry(row) && is_new(*entry(row));
    if (role != Qt::TextAlignmentRole && !is_known(*shown, column)) return unknown_cell(role);
    return ColumnModel::cell(row, column, role);
}

}  // namespace snakepit::shm::ui
