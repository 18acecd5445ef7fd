// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <algorithm>
#include <cstddef>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace snakepit::shm::ui {

// A table that is given all its rows anew and tells its views what became of them: a row with the
// same key stays the same row; rows are inserted, removed and moved in at most a few dozen signals,
// and never reset. It keeps its own sorted, filtered index, which a proxy would make many times as
// expensive. GUI thread.
template <typename Row, typename Key>
class KeyedTable : public QAbstractTableModel {
  public:
    using Ptr = std::shared_ptr<const Row>;
    using QAbstractTableModel::QAbstractTableModel;

    const Row* row(int number) const {
        return number >= 0 && number < rowCount() ? shown_[static_cast<std::size_t>(number)].get()
                                                  : nullptr;
    }
    int row_of(const Key& wanted) const {  // -1: not shown
        const auto found = std::find_if(shown_.begin(), shown_.end(),
                                        [&](const Ptr& row) { return this->key(*row) == wanted; });
        return found == shown_.end() ? -1 : static_cast<int>(found - shown_.begin());
    }
    // Copies of these, whatever stood in it before.
    void show(const std::vector<Row>& rows) {
        std::vector<Ptr> copies;
        copies.reserve(rows.size());
        for (const auto& row : rows) copies.push_back(std::make_shared<const Row>(row));
        set_rows(std::move(copies));
    }
    const std::vector<Ptr>& all() const { return all_; }  // filtered away or not
    int rowCount(const QModelIndex& parent = {}) const override {
        return parent.isValid() ? 0 : static_cast<int>(shown_.size());
    }
    void sort(int column, Qt::SortOrder order) override {
        sort_column_ = column;
        sort_order_ = order;
        arrange();
    }

  protected:
    virtual Key key(const Row& row) const = 0;
    virtual bool wanted(const Row&) const { return true; }
    // Below, at or above 0; `column` is -1 before anybody chose one.
    virtual int compare(const Row& a, const Row& b, int column) const = 0;

    void set_rows(std::vector<Ptr> rows) {
        all_ = std::move(rows);
        const auto kept = arrange();
        if (kept > 0) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
    }
    // After `wanted` changed its mind. How many rows stayed.
    std::size_t arrange() {
        auto next = ordered();
        Places places;
        places.reserve(next.size());
        for (std::size_t i = 0; i < next.size(); ++i) places.emplace(key(*next[i]), i);
        drop(places);
        std::vector<bool> is_kept(next.size());
        for (auto& row : shown_) {
            const auto place = places.at(key(*row));
            row = next[place];
            is_kept[place] = true;
        }
        const auto kept = shown_.size();
        bring_in(std::move(next), is_kept);
        return kept;
    }

  private:
    using Places = std::unordered_map<Key, std::size_t>;
    // A change in more separate places than this is made in one place and then sorted in, because
    // views pay by the signal.
    static constexpr std::size_t kMaxRuns = 32;
    using Run = std::pair<std::size_t, std::size_t>;  // from, to

    bool before(const Ptr& a, const Ptr& b) const {
        const int order = compare(*a, *b, sort_column_);
        if (order == 0) return key(*a) < key(*b);
        return sort_order_ == Qt::AscendingOrder ? order < 0 : order > 0;
    }

    // What is wanted, sorted. Of two rows with the same key only one.
    std::vector<Ptr> ordered() const {
        std::unordered_map<Key, Ptr> unique;
        unique.reserve(all_.size());
        for (const auto& row : all_)
            if (wanted(*row)) unique.emplace(key(*row), row);
        std::vector<Ptr> next;
        next.reserve(unique.size());
        for (auto& entry : unique) next.push_back(std::move(entry.second));
        std::sort(next.begin(), next.end(),
                  [this](const Ptr& a, const Ptr& b) { return before(a, b); });
        return next;
    }

    static std::vector<Run> runs_of(const std::vector<bool>& marked) {
        std::vector<Run> runs;
        for (std::size_t i = 0; i < marked.size(); ++i) {
            if (!marked[i]) continue;
            if (runs.empty() || runs.back().second != i) runs.push_back({i, i});
            runs.back().second = i + 1;
        }
        return runs;
    }

    void drop(const Places& staying) {
        std::vector<bool> goes(shown_.size());
        for (std::size_t i = 0; i < shown_.size(); ++i)
            goes[i] = !staying.contains(key(*shown_[i]));
        auto runs = runs_of(goes);
        if (runs.size() > kMaxRuns) {
            std::vector<Ptr> stays, leaves;
            for (std::size_t i = 0; i < shown_.size(); ++i)
                (goes[i] ? leaves : stays).push_back(shown_[i]);
            runs = {{stays.size(), shown_.size()}};
            stays.insert(stays.end(), leaves.begin(), leaves.end());
            reorder(std::move(stays));
        }
        for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
            beginRemoveRows({}, static_cast<int>(run->first), static_cast<int>(run->second) - 1);
            shown_.erase(shown_.begin() + static_cast<std::ptrdiff_t>(run->first),
                         shown_.begin() + static_cast<std::ptrdiff_t>(run->second));
            endRemoveRows();
        }
    }

    void bring_in(std::vector<Ptr> next, const std::vector<bool>& is_kept) {
        std::vector<Ptr> kept, entering;
        std::vector<bool> enters(next.size());
        for (std::size_t i = 0; i < next.size(); ++i) {
            (is_kept[i] ? kept : entering).push_back(next[i]);
            enters[i] = !is_kept[i];
        }
        reorder(std::move(kept));
        auto runs = runs_of(enters);
        if (runs.size() > kMaxRuns) {
            insert(shown_.size(), entering.begin(), entering.end());
            reorder(std::move(next));
            return;
        }
        // Ascending: what stands before a run is in its place already.
        for (const auto& [from, to] : runs)
            insert(from, next.begin() + static_cast<std::ptrdiff_t>(from),
                   next.begin() + static_cast<std::ptrdiff_t>(to));
    }

    template <typename It>
    void insert(std::size_t place, It first, It last) {
        beginInsertRows({}, static_cast<int>(place),
                        static_cast<int>(place) + static_cast<int>(last - first) - 1);
        shown_.insert(shown_.begin() + static_cast<std::ptrdiff_t>(place), first, last);
        endInsertRows();
    }

    // `next` has the same members.
    void reorder(std::vector<Ptr> next) {
        if (next == shown_) return;
        Q_EMIT layoutAboutToBeChanged({}, QAbstractItemModel::VerticalSortHint);
        const auto from = persistentIndexList();
        std::unordered_map<const Row*, int> places;
        if (!from.isEmpty())
            for (std::size_t i = 0; i < next.size(); ++i)
                places.emplace(next[i].get(), static_cast<int>(i));
        QModelIndexList to;
        for (const auto& index : from)
            to.push_back(this->index(places.at(shown_[static_cast<std::size_t>(index.row())].get()),
                                     index.column()));
        shown_ = std::move(next);
        changePersistentIndexList(from, to);
        Q_EMIT layoutChanged({}, QAbstractItemModel::VerticalSortHint);
    }

    std::vector<Ptr> all_, shown_;
    int sort_column_ = -1;
    Qt::SortOrder sort_order_ = Qt::AscendingOrder;
};

}  // namespace snakepit::shm::ui
