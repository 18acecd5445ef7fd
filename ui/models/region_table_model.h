// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "base/filter.h"
#include "ui/models/column.h"
#include "ui/models/region_store.h"

namespace snakepit::shm::ui {

// A sorted and filtered table over a RegionStore, which must outlive it. GUI thread.
class RegionTableModel : public ColumnModel<SortedIndex, RegionRow> {
  public:
    explicit RegionTableModel(RegionStore& store, QObject* parent = nullptr);

    void set_filter(RegionFilter filter);
    // What the table is about at all, such as one program's regions; counts are within it.
    using Scope = std::function<bool(const RegionRow&)>;
    void set_scope(Scope scope);
    // Only regions that had been allocated by then; no value: all.
    void set_latest(std::optional<Timestamp> latest);
    // Once a second: repaints what ages and applies filters that depend on time.
    void clock_tick();
    const RegionEntry* entry(int row) const {
        return row >= 0 && row < rowCount() ? store_.at(slot_of(row)) : nullptr;
    }
    const RegionRow* row(int number) const override;  // also of one that is gone
    int row_of(const RegionKey& key) const {          // -1: not shown
        return store_.find(key) ? row_of_slot(key.slot) : -1;
    }
    std::size_t total() const { return total_; }  // in scope, filtered away or not

  protected:
    std::span<const Column<RegionRow>> columns() const override;
    QVariant cell(int row, int column, int role) const override;
    Slot frontier() const override { return store_.frontier(); }
    bool is_wanted(Slot slot) const override;
    SortKey sort_key(Slot slot, int column) const override;
    bool comes_first(Slot a, Slot b) const override;
    void keep_gone(int row, Slot slot) override;
    void forget_gone() override { gone_.clear(); }

  private:
    bool in_scope(Slot slot) const;
    void recount();

    RegionStore& store_;
    RegionFilter filter_;
    Scope scope_;
    std::optional<Timestamp> latest_;
    std::size_t total_ = 0;
    std::map<int, RegionRow> gone_;  // by row
};

}  // namespace snakepit::shm::ui
