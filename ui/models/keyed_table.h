// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "ui/models/column.h"

namespace snakepit::shm::ui {

// A sorted, filtered table that gets all its rows each time: a row with the same key stays the same
// row. GUI thread.
template <typename Row, typename Key>
class KeyedTable : public ColumnModel<SortedIndex, Row> {
  public:
    using Ptr = std::shared_ptr<const Row>;
    using ColumnModel<SortedIndex, Row>::ColumnModel;

    const Row* row(int number) const override {
        if (number < 0 || number >= this->rowCount()) return nullptr;
        return this->is_gone(number) ? gone_.at(number).get() : rows_[this->slot_of(number)].get();
    }
    int row_of(const Key& wanted) const {  // -1: not shown
        const auto found = slots_.find(wanted);
        return found == slots_.end() ? -1 : this->row_of_slot(found->second);
    }
    std::size_t total() const { return slots_.size(); }  // filtered away or not
    // Copies of these, in place of all rows from before.
    void show(const std::vector<Row>& rows) {
        std::vector<Ptr> copies;
        copies.reserve(rows.size());
        for (const auto& row : rows) copies.push_back(std::make_shared<const Row>(row));
        set_rows(std::move(copies));
    }

  protected:
    virtual Key key(const Row& row) const = 0;
    virtual bool wanted(const Row&) const { return true; }
    // Below, at or above 0: the order before anyone chose a column.
    virtual int compare_rows(const Row&, const Row&) const { return 0; }

    // Of two rows with the same key only the first.
    void set_rows(std::vector<Ptr> rows) {
        std::unordered_map<Key, Ptr> next;
        next.reserve(rows.size());
        for (auto& row : rows) next.emplace(key(*row), std::move(row));
        drop_missing(next);
        std::vector<Slot> inserted, updated;
        for (auto& [key, row] : next) {
            const auto [place, is_new] = slots_.try_emplace(key, 0);
            if (is_new) place->second = free_slot();
            (is_new ? inserted : updated).push_back(place->second);
            rows_[place->second] = std::move(row);
        }
        this->change(inserted, updated);
    }

  private:
    void drop_missing(const std::unordered_map<Key, Ptr>& next) {
        std::vector<Slot> leaving;
        for (const auto& [key, slot] : slots_)
            if (!next.contains(key)) leaving.push_back(slot);
        this->remove(leaving);
        std::erase_if(slots_, [&](const auto& entry) { return !next.contains(entry.first); });
        for (const auto slot : leaving) rows_[slot].reset();
        free_.insert(free_.end(), leaving.begin(), leaving.end());
    }
    Slot free_slot() {
        if (free_.empty()) {
            rows_.emplace_back();
            return static_cast<Slot>(rows_.size() - 1);
        }
        const auto slot = free_.back();
        free_.pop_back();
        return slot;
    }

    Slot frontier() const override { return static_cast<Slot>(rows_.size()); }
    bool is_wanted(Slot slot) const override { return rows_[slot] && wanted(*rows_[slot]); }
    SortKey sort_key(Slot slot, int column) const override {
        return this->columns()[static_cast<std::size_t>(column)].order(*rows_[slot]);
    }
    int compare_default(Slot a, Slot b) const override {
        return compare_rows(*rows_[a], *rows_[b]);
    }
    bool comes_first(Slot a, Slot b) const override { return key(*rows_[a]) < key(*rows_[b]); }
    void keep_gone(int row, Slot slot) override { gone_.emplace(row, rows_[slot]); }
    void forget_gone() override { gone_.clear(); }

    std::vector<Ptr> rows_;  // by slot
    std::vector<Slot> free_;
    std::map<int, Ptr> gone_;  // by row
    std::unordered_map<Key, Slot> slots_;
};

}  // namespace snakepit::shm::ui
