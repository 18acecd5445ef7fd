// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/region_table_model.h"
#include "ui/models/moment.h"

#include <algorithm>

#include "base/time.h"
#include "ui/models/region_columns.h"

namespace snakepit::shm::ui {

namespace {

// A change in more separate places than this is made in one place and then sorted in, because views
// pay by the signal.
constexpr std::size_t kMaxRuns = 32;
constexpr std::int64_t kGlowMillis = 1600;

// Calls `run(first, count)` for every run of consecutive numbers, the last run first.
template <typename Run>
void for_runs_backwards(const std::vector<int>& sorted, Run run) {
    for (std::size_t end = sorted.size(); end > 0;) {
        std::size_t begin = end - 1;
        while (begin > 0 && sorted[begin - 1] == sorted[begin] - 1) --begin;
        run(sorted[begin], static_cast<int>(end - begin));
        end = begin;
    }
}

std::size_t count_runs(const std::vector<int>& sorted) {
    std::size_t runs = 0;
    for_runs_backwards(sorted, [&](int, int) { ++runs; });
    return runs;
}

}  // namespace

RegionTableModel::RegionTableModel(RegionStore& store, QObject* parent)
    : ColumnModel(parent), store_(store) {
    connect(&store, &RegionStore::removing, this, &RegionTableModel::on_removing);
    connect(&store, &RegionStore::changed, this, &RegionTableModel::on_changed);
    refilter();
}

bool RegionTableModel::in_scope(Slot slot) const {
    const auto* entry = store_.at(slot);
    return entry && (!scope_ || scope_(entry->row));
}

bool RegionTableModel::matches(Slot slot) const {
    if (!in_scope(slot)) return false;
    const auto* entry = store_.at(slot);
    return filter_.empty() || filter_.matches(entry->row.info, shown_now(), entry->search);
}

bool RegionTableModel::before(Slot a, Slot b) const {
    const auto &x = store_.at(a)->row, &y = store_.at(b)->row;
    const auto order = region_sort_key(x, sort_column_) <=> region_sort_key(y, sort_column_);
    if (order == 0) return x.info.id != y.info.id ? x.info.id < y.info.id : a < b;
    return sort_order_ == Qt::AscendingOrder ? order < 0 : order > 0;
}

void RegionTableModel::set_filter(RegionFilter filter) {
    filter_ = std::move(filter);
    refilter();
}

void RegionTableModel::set_scope(Scope scope) {
    scope_ = std::move(scope);
    refilter();
}

void RegionTableModel::refilter() {
    std::vector<Slot> entering, going;
    for (Slot slot = 0; slot < store_.frontier(); ++slot) {
        const bool wanted = matches(slot);
        if (wanted && !is_shown(slot)) entering.push_back(slot);
        if (!wanted && is_shown(slot)) going.push_back(slot);
    }
    change_rows(going, {}, std::move(entering));
}

void RegionTableModel::change_rows(const std::vector<Slot>& going, const std::vector<Slot>& staying,
                                   std::vector<Slot> entering) {
    const bool enters = !entering.empty();
    if (!going.empty()) Q_EMIT hiding(going);
    remove_shown(going);
    resort(staying);
    insert_shown(std::move(entering));
    if (enters) Q_EMIT restructured();
    recount();
}

void RegionTableModel::recount() {
    total_ = store_.size();
    if (scope_) {
        total_ = 0;
        for (Slot slot = 0; slot < store_.frontier(); ++slot) total_ += in_scope(slot) ? 1 : 0;
    }
    Q_EMIT counts_changed();
}

void RegionTableModel::set_order_held(bool held) {
    held_ = held;
    if (held_ || !order_stale_) return;
    order_stale_ = false;
    sort(sort_column_, sort_order_);
}

void RegionTableModel::clock_tick() {
    if (filter_.depends_on_time()) refilter();
    if (!order_.empty())
        Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1),
                           {Qt::DisplayRole});
}

void RegionTableModel::on_removing(const std::vector<Slot>& slots) {
    std::vector<Slot> going;
    std::copy_if(slots.begin(), slots.end(), std::back_inserter(going),
                 [this](Slot slot) { return is_shown(slot); });
    remove_shown(going);
}

void RegionTableModel::on_changed(const std::vector<Slot>& inserted,
                                  const std::vector<Slot>& updated) {
    std::vector<Slot> entering, going, staying;
    for (const auto slot : inserted)
        if (matches(slot)) entering.push_back(slot);
    for (const auto slot : updated) {
        const bool wanted = matches(slot);
        if (is_shown(slot))
            (wanted ? staying : going).push_back(slot);
        else if (wanted)
            entering.push_back(slot);
    }
    change_rows(going, staying, std::move(entering));
    report(staying);
}

void RegionTableModel::remove_shown(const std::vector<Slot>& slots) {
    if (slots.empty()) return;
    std::vector<int> rows;
    for (const auto slot : slots) rows.push_back(row_[slot]);
    std::sort(rows.begin(), rows.end());
    if (count_runs(rows) > kMaxRuns) {
        std::vector<bool> goes(order_.size());
        for (const auto row : rows) goes[static_cast<std::size_t>(row)] = true;
        auto next = order_;
        std::stable_partition(next.begin(), next.end(), [&](Slot slot) {
            return !goes[static_cast<std::size_t>(row_[slot])];
        });
        reorder(std::move(next));
        const int first = rowCount() - static_cast<int>(rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = first + static_cast<int>(i);
    }
    for_runs_backwards(rows, [this](int first, int count) {
        beginRemoveRows({}, first, first + count - 1);
        const auto begin = order_.begin() + first;
        for (auto it = begin; it != begin + count; ++it) row_[*it] = -1;
        order_.erase(begin, begin + count);
        renumber(static_cast<std::size_t>(first));
        endRemoveRows();
    });
}

void RegionTableModel::insert_shown(std::vector<Slot> slots) {
    if (slots.empty()) return;
    row_.resize(std::max<std::size_t>(row_.size(), store_.frontier()), -1);
    const auto less = [this](Slot a, Slot b) { return before(a, b); };
    slots = sorted(slots);
    std::vector<std::size_t> places;  // where each goes in order_ as it is now
    std::size_t runs = 0;
    for (const auto slot : slots) {
        const auto place = static_cast<std::size_t>(
            std::upper_bound(order_.begin(), order_.end(), slot, less) - order_.begin());
        if (places.empty() || places.back() != place) ++runs;
        if (runs > kMaxRuns) break;
        places.push_back(place);
    }
    const bool at_end = runs > kMaxRuns;
    if (at_end) places.assign(slots.size(), order_.size());
    if (order_stale_) std::sort(places.begin(), places.end());

    for (std::size_t end = slots.size(); end > 0;) {
        std::size_t begin = end - 1;
        while (begin > 0 && places[begin - 1] == places[begin]) --begin;
        const auto place = places[begin];
        beginInsertRows({}, static_cast<int>(place), static_cast<int>(place + (end - begin) - 1));
        order_.insert(order_.begin() + static_cast<std::ptrdiff_t>(place),
                      slots.begin() + static_cast<std::ptrdiff_t>(begin),
                      slots.begin() + static_cast<std::ptrdiff_t>(end));
        renumber(place);
        endInsertRows();
        end = begin;
    }
    if (!at_end) return;
    if (!order_stale_) return reorder(sorted(order_));
    auto next = order_;
    std::inplace_merge(next.begin(), next.end() - static_cast<std::ptrdiff_t>(slots.size()),
                       next.end(), less);
    reorder(std::move(next));
}

// The others did not change, so the order holds if it holds beside each of these.
bool RegionTableModel::in_order(const std::vector<Slot>& updated) const {
    return std::all_of(updated.begin(), updated.end(), [this](Slot slot) {
        const auto row = static_cast<std::size_t>(row_[slot]);
        return (row == 0 || !before(slot, order_[row - 1])) &&
               (row + 1 == order_.size() || !before(order_[row + 1], slot));
    });
}

void RegionTableModel::resort(const std::vector<Slot>& updated) {
    if (updated.empty() || order_stale_ || in_order(updated)) return;
    if (held_) {
        order_stale_ = true;
        return;
    }
    std::vector<bool> moves(row_.size());
    for (const auto slot : updated) moves[slot] = true;
    std::vector<Slot> next(order_.size());
    const auto middle = std::copy_if(order_.begin(), order_.end(), next.begin(),
                                     [&](Slot slot) { return !moves[slot]; });
    std::copy(updated.begin(), updated.end(), middle);
    const auto less = [this](Slot a, Slot b) { return before(a, b); };
    std::sort(middle, next.end(), less);
    std::inplace_merge(next.begin(), middle, next.end(), less);
    reorder(std::move(next));
}

void RegionTableModel::sort(int column, Qt::SortOrder order) {
    if (column < 0 || column >= kRegionColumns) return;
    sort_column_ = column;
    sort_order_ = order;
    order_stale_ = false;
    reorder(sorted(order_));
}

// As before() says, but each row is looked at once: with many of them, most of what a comparison
// costs is to fetch two rows from memory.
std::vector<Slot> RegionTableModel::sorted(const std::vector<Slot>& slots) const {
    struct Place {
        RegionSortKey key;
        RegionId id;
        Slot slot;
    };
    std::vector<Place> places;
    places.reserve(slots.size());
    for (const auto slot : slots) {
        const auto& row = store_.at(slot)->row;
        places.push_back({region_sort_key(row, sort_column_), row.info.id, slot});
    }
    const bool ascending = sort_order_ == Qt::AscendingOrder;
    std::sort(places.begin(), places.end(), [ascending](const Place& a, const Place& b) {
        const auto order = a.key <=> b.key;
        if (order != 0) return ascending ? order < 0 : order > 0;
        return a.id != b.id ? a.id < b.id : a.slot < b.slot;
    });
    std::vector<Slot> out;
    out.reserve(places.size());
    for (const auto& place : places) out.push_back(place.slot);
    return out;
}

// `next` has the same members as order_.
void RegionTableModel::reorder(std::vector<Slot> next) {
    if (next == order_) return;
    Q_EMIT layoutAboutToBeChanged({}, QAbstractItemModel::VerticalSortHint);
    const auto from = persistentIndexList();
    std::vector<Slot> slots;
    for (const auto& index : from) slots.push_back(order_[static_cast<std::size_t>(index.row())]);
    order_ = std::move(next);
    renumber();
    QModelIndexList to;
    for (qsizetype i = 0; i < from.size(); ++i)
        to.push_back(index(row_[slots[static_cast<std::size_t>(i)]], from[i].column()));
    changePersistentIndexList(from, to);
    Q_EMIT layoutChanged({}, QAbstractItemModel::VerticalSortHint);
}

void RegionTableModel::renumber(std::size_t from) {
    for (auto i = from; i < order_.size(); ++i) row_[order_[i]] = static_cast<int>(i);
}

void RegionTableModel::report(const std::vector<Slot>& updated) {
    if (updated.empty()) return;
    int first = rowCount(), last = -1;
    for (const auto slot : updated) {
        first = std::min(first, row_[slot]);
        last = std::max(last, row_[slot]);
    }
    Q_EMIT dataChanged(index(first, 0), index(last, columnCount() - 1));
}

const RegionEntry* RegionTableModel::entry(int row) const {
    return row >= 0 && row < rowCount() ? store_.at(order_[static_cast<std::size_t>(row)])
                                        : nullptr;
}

int RegionTableModel::row_of(const RegionKey& key) const {
    return store_.find(key) && is_shown(key.slot) ? row_[key.slot] : -1;
}

int RegionTableModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(order_.size());
}

std::span<const ColumnTraits> RegionTableModel::columns() const {
    return region_columns();
}

double RegionTableModel::glow(const RegionEntry& entry) const {
    if (entry.appeared == 0) return 0;
    const auto age = monotonic_nanos() / 1'000'000 - entry.appeared;
    return age >= kGlowMillis ? 0 : 1 - static_cast<double>(age) / kGlowMillis;
}

QVariant RegionTableModel::cell(int row, int column, int role) const {
    const auto* entry = this->entry(row);
    if (!entry) return {};
    const auto& info = entry->row.info;
    switch (role) {
        case Qt::DisplayRole:
            return region_display(entry->row, column, shown_now());
        case kSortRole:
            return region_sort_value(entry->row, column);
        case kExportRole:
            return region_export(entry->row, column);
        case kIdRole:
            return QString::fromStdString(info.id.str());
        case kToneRole:
            return static_cast<int>(column == kColumnState ? tone_of(info.state) : Tone::none);
        case kMonospaceRole:
            return column == kColumnId;
        case kGlowRole:
            return glow(*entry);
        case kMutedRole:
            return (column == kColumnReferences && info.reference_count == 0) ||
                   (column == kColumnHeldBy && entry->row.holders == 0);
        case Qt::ToolTipRole:
            return column == kColumnAge || column == kColumnIdle || column == kColumnHeldBy
                       ? region_export(entry->row, column)
                       : QVariant();
        default:
            return {};
    }
}

}  // namespace snakepit::shm::ui
