// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <vector>

#include "base/filter.h"
#include "ui/models/column_traits.h"
#include "ui/models/region_store.h"

namespace snakepit::shm::ui {

// A sorted and filtered index over a RegionStore. It inserts, removes and moves rows and never
// resets; one change of the store costs at most a few dozen signals, whatever its size, and one
// dataChanged. GUI thread; the store must outlive it.
class RegionTableModel : public ColumnModel<QAbstractTableModel> {
    Q_OBJECT
  public:
    explicit RegionTableModel(RegionStore& store, QObject* parent = nullptr);

    void set_filter(RegionFilter filter);
    // What the table is about at all, such as one program's regions; counts are within it.
    using Scope = std::function<bool(const RegionRow&)>;
    void set_scope(Scope scope);
    // While held, rows stay where they are although their sort keys change.
    void set_order_held(bool held);
    // Once a second: repaints what ages and applies filters that depend on time.
    void clock_tick();
    const RegionEntry* entry(int row) const;
    int row_of(const RegionKey& key) const;  // -1: not shown
    std::size_t shown() const { return order_.size(); }
    std::size_t total() const { return total_; }  // in scope, filtered away or not
    int sort_column() const { return sort_column_; }
    Qt::SortOrder sort_order() const { return sort_order_; }

    int rowCount(const QModelIndex& parent = {}) const override;
    void sort(int column, Qt::SortOrder order) override;

  Q_SIGNALS:
    void counts_changed();
    // These rows go although their regions stay: what was selected can be kept by key.
    void hiding(const std::vector<Slot>& slots);
    void restructured();

  protected:
    std::span<const ColumnTraits> columns() const override;
    QVariant cell(int row, int column, int role) const override;

  private:
    bool in_scope(Slot slot) const;
    bool matches(Slot slot) const;
    bool before(Slot a, Slot b) const;
    std::vector<Slot> sorted(const std::vector<Slot>& slots) const;
    bool is_shown(Slot slot) const { return slot < row_.size() && row_[slot] >= 0; }
    void on_removing(const std::vector<Slot>& slots);
    void on_changed(const std::vector<Slot>& inserted, const std::vector<Slot>& updated);
    void refilter();
    void remove_shown(const std::vector<Slot>& slots);
    void insert_shown(std::vector<Slot> slots);
    void change_rows(const std::vector<Slot>& going, const std::vector<Slot>& staying,
                     std::vector<Slot> entering);
    void recount();
    void resort(const std::vector<Slot>& updated);
    bool in_order(const std::vector<Slot>& updated) const;
    void reorder(std::vector<Slot> next);
    void renumber(std::size_t from = 0);
    void report(const std::vector<Slot>& updated);
    double glow(const RegionEntry& entry) const;

    RegionStore& store_;
    RegionFilter filter_;
    Scope scope_;
    std::size_t total_ = 0;
    std::vector<Slot> order_;  // shown slots, sorted unless order_stale_
    std::vector<int> row_;     // by slot: its place in order_, or -1
    int sort_column_ = 0;
    Qt::SortOrder sort_order_ = Qt::AscendingOrder;
    bool held_ = false;
    bool order_stale_ = false;
};

}  // namespace snakepit::shm::ui
