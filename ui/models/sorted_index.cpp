// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/sorted_index.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace snakepit::shm::ui {

namespace {

// A change in more separate places than this is made in one place and then sorted in, because views
// pay by the signal.
constexpr std::size_t kMaxRuns = 32;

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

int SortedIndex::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(order_.size());
}

bool SortedIndex::before(Slot a, Slot b) const {
    int order = 0;
    std::int64_t tie = 0;
    if (sort_column_ < 0) {
        order = compare_default(a, b);
    } else {
        const auto x = sort_key(a, sort_column_), y = sort_key(b, sort_column_);
        order = x.compare(y);
        tie = x.tie - y.tie;
    }
    if (order != 0) return sort_order_ == Qt::AscendingOrder ? order < 0 : order > 0;
    return tie != 0 ? tie < 0 : comes_first(a, b);
}

// As before() says, but each row is read once: with many of them, most of what a comparison costs
// is to fetch two rows from memory.
std::vector<Slot> SortedIndex::sorted(const std::vector<Slot>& slots) const {
    auto out = slots;
    if (sort_column_ < 0) {
        std::sort(out.begin(), out.end(), [this](Slot a, Slot b) { return before(a, b); });
        return out;
    }
    struct Keyed {
        SortKey key;
        Slot slot;
    };
    std::vector<Keyed> places;
    places.reserve(slots.size());
    for (const auto slot : slots) places.push_back({sort_key(slot, sort_column_), slot});
    const bool ascending = sort_order_ == Qt::AscendingOrder;
    std::sort(places.begin(), places.end(), [this, ascending](const Keyed& a, const Keyed& b) {
        const int order = a.key.compare(b.key);
        if (order != 0) return ascending ? order < 0 : order > 0;
        return a.key.tie != b.key.tie ? a.key.tie < b.key.tie : comes_first(a.slot, b.slot);
    });
    std::transform(places.begin(), places.end(), out.begin(),
                   [](const Keyed& place) { return place.slot; });
    return out;
}

// A person changed the filter: rows that were held move.
void SortedIndex::refilter() {
    drop_gone();
    filter_stale_ = false;
    const bool held = std::exchange(held_, false);
    if (order_stale_) sort(sort_column_, sort_order_);
    std::vector<Slot> entering, leaving;
    for (Slot slot = 0; slot < frontier(); ++slot) {
        const bool wanted = is_wanted(slot);
        if (wanted && !is_shown(slot)) entering.push_back(slot);
        if (!wanted && is_shown(slot)) leaving.push_back(slot);
    }
    change_rows(leaving, {}, std::move(entering));
    held_ = held;
}

void SortedIndex::refilter_later() {
    held_ ? void(filter_stale_ = true) : refilter();
}

void SortedIndex::change(const std::vector<Slot>& inserted, const std::vector<Slot>& updated) {
    std::vector<Slot> entering, leaving, staying;
    for (const auto slot : inserted)
        if (is_wanted(slot)) entering.push_back(slot);
    for (const auto slot : updated) {
        const bool wanted = is_wanted(slot);
        if (is_shown(slot)) {
            (wanted || held_ ? staying : leaving).push_back(slot);
            filter_stale_ |= !wanted && held_;
        } else if (wanted) {
            entering.push_back(slot);
        }
    }
    change_rows(leaving, staying, std::move(entering));
    report(staying);
}

void SortedIndex::change_rows(const std::vector<Slot>& leaving, const std::vector<Slot>& staying,
                              std::vector<Slot> entering) {
    const bool enters = !entering.empty();
    if (!leaving.empty()) Q_EMIT hiding(leaving);
    remove(leaving);
    resort(staying);
    insert(std::move(entering));
    if (enters) Q_EMIT restructured();
    Q_EMIT counts_changed();
}

void SortedIndex::set_order_held(bool held) {
    held_ = held;
    if (held_) return;
    if (filter_stale_) return refilter();
    drop_gone();
    if (order_stale_) sort(sort_column_, sort_order_);
}

void SortedIndex::mark_gone(const std::vector<int>& rows) {
    for (const auto row : rows) {
        auto& slot = order_[static_cast<std::size_t>(row)];
        keep_gone(row, slot);
        rows_[slot] = -1;
        slot = kGone;
        ++gone_;
    }
    if (!rows.empty())
        Q_EMIT dataChanged(index(rows.front(), 0), index(rows.back(), columnCount() - 1));
}

void SortedIndex::drop_gone() {
    if (gone_ == 0) return;
    std::vector<int> rows;
    for (int row = 0; row < rowCount(); ++row)
        if (is_gone(row)) rows.push_back(row);
    for_runs_backwards(rows, [this](int first, int count) {
        beginRemoveRows({}, first, first + count - 1);
        order_.erase(order_.begin() + first, order_.begin() + first + count);
        renumber(static_cast<std::size_t>(first));
        gone_ -= static_cast<std::size_t>(count);
        endRemoveRows();
    });
    forget_gone();
}

void SortedIndex::remove(const std::vector<Slot>& slots) {
    std::vector<int> rows;
    for (const auto slot : slots)
        if (is_shown(slot)) rows.push_back(rows_[slot]);
    std::sort(rows.begin(), rows.end());
    held_ ? mark_gone(rows) : remove_rows(std::move(rows));
}

void SortedIndex::remove_rows(std::vector<int> rows) {
    if (count_runs(rows) > kMaxRuns) {
        std::vector<bool> leaves(order_.size());
        for (const auto row : rows) leaves[static_cast<std::size_t>(row)] = true;
        auto next = order_;
        std::stable_partition(next.begin(), next.end(), [&](Slot slot) {
            return !leaves[static_cast<std::size_t>(rows_[slot])];
        });
        reorder(std::move(next));
        const int first = rowCount() - static_cast<int>(rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = first + static_cast<int>(i);
    }
    for_runs_backwards(rows, [this](int first, int count) {
        beginRemoveRows({}, first, first + count - 1);
        const auto begin = order_.begin() + first;
        for (auto it = begin; it != begin + count; ++it) rows_[*it] = -1;
        order_.erase(begin, begin + count);
        renumber(static_cast<std::size_t>(first));
        endRemoveRows();
    });
}

void SortedIndex::insert(std::vector<Slot> slots) {
    if (slots.empty()) return;
    rows_.resize(std::max<std::size_t>(rows_.size(), frontier()), -1);
    const auto less = [this](Slot a, Slot b) { return before(a, b); };
    slots = sorted(slots);
    if (held_) {
        order_stale_ = true;
        const auto first = rowCount(), count = static_cast<int>(slots.size());
        beginInsertRows({}, first, first + count - 1);
        order_.insert(order_.end(), slots.begin(), slots.end());
        renumber(static_cast<std::size_t>(first));
        endInsertRows();
        return;
    }
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
bool SortedIndex::in_order(const std::vector<Slot>& updated) const {
    return std::all_of(updated.begin(), updated.end(), [this](Slot slot) {
        const auto row = static_cast<std::size_t>(rows_[slot]);
        return (row == 0 || !before(slot, order_[row - 1])) &&
               (row + 1 == order_.size() || !before(order_[row + 1], slot));
    });
}

// Behind the rows that are not after it, in steps that double: few of the rows between are read.
SortedIndex::Place SortedIndex::place_of(Slot slot, Place from, Place end) const {
    const auto less = [this](Slot a, Slot b) { return before(a, b); };
    std::ptrdiff_t step = 1;
    for (; end - from > step && !before(slot, from[step - 1]); step *= 2) from += step;
    return std::upper_bound(from, from + std::min(step, end - from), slot, less);
}

void SortedIndex::resort(const std::vector<Slot>& updated) {
    if (updated.empty() || order_stale_) return;
    if (held_) {
        order_stale_ = gone_ > 0 || !in_order(updated);
        return;
    }
    if (in_order(updated)) return;
    if (2 * updated.size() > order_.size()) return reorder(sorted(order_));
    std::vector<bool> moves(rows_.size());
    for (const auto slot : updated) moves[slot] = true;
    std::vector<Slot> rest, next;
    rest.reserve(order_.size());
    next.reserve(order_.size());
    std::copy_if(order_.begin(), order_.end(), std::back_inserter(rest),
                 [&](Slot slot) { return !moves[slot]; });
    auto from = rest.cbegin();
    for (const auto slot : sorted(updated)) {
        const auto place = place_of(slot, from, rest.cend());
        next.insert(next.end(), from, place);
        next.push_back(slot);
        from = place;
    }
    next.insert(next.end(), from, rest.cend());
    reorder(std::move(next));
}

void SortedIndex::sort(int column, Qt::SortOrder order) {
    if (column >= columnCount()) return;
    drop_gone();
    sort_column_ = column;
    sort_order_ = order;
    order_stale_ = false;
    reorder(sorted(order_));
}

// `next` has the same members as order_.
void SortedIndex::reorder(std::vector<Slot> next) {
    if (next == order_) return;
    Q_EMIT layoutAboutToBeChanged({}, QAbstractItemModel::VerticalSortHint);
    const auto from = persistentIndexList();
    std::vector<Slot> slots;
    for (const auto& index : from) slots.push_back(slot_of(index.row()));
    order_ = std::move(next);
    renumber();
    QModelIndexList to;
    for (qsizetype i = 0; i < from.size(); ++i)
        to.push_back(index(rows_[slots[static_cast<std::size_t>(i)]], from[i].column()));
    changePersistentIndexList(from, to);
    Q_EMIT layoutChanged({}, QAbstractItemModel::VerticalSortHint);
}

void SortedIndex::renumber(std::size_t from) {
    for (auto i = from; i < order_.size(); ++i)
        if (order_[i] != kGone) rows_[order_[i]] = static_cast<int>(i);
}

void SortedIndex::report(const std::vector<Slot>& updated) {
    if (updated.empty()) return;
    int first = rowCount(), last = -1;
    for (const auto slot : updated) {
        first = std::min(first, rows_[slot]);
        last = std::max(last, rows_[slot]);
    }
    Q_EMIT dataChanged(index(first, 0), index(last, columnCount() - 1));
}

}  // namespace snakepit::shm::ui
