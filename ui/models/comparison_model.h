// SPDX-License-Identifier: GPL-3.0-or-later
// What differs between two captures, as tables.
#pragma once

#include "events/region_comparison.h"
#include "ui/models/keyed_table.h"

namespace snakepit::shm::ui {

struct DifferenceRow {
    RegionDifference difference;
    QString differences;  // in words
};

// One row for each region that differs: those that are gone, were added, replaced, changed.
class DifferenceModel : public KeyedTable<DifferenceRow, RegionId> {
  public:
    using KeyedTable::KeyedTable;
    // Any thread: there may be many.
    static std::vector<Ptr> rows_of(const RegionComparison& comparison);
    void show_differences(std::vector<Ptr> rows) { set_rows(std::move(rows)); }

  protected:
    std::span<const Column<DifferenceRow>> columns() const override;
    RegionId key(const DifferenceRow& row) const override { return row.difference.region().id; }
    int compare_rows(const DifferenceRow& a, const DifferenceRow& b) const override;
};

struct TotalRow {
    ComparedTotal total;
    QString label;  // of a user: the name
};

// One row for each program, worker or user; what grew most comes first.
class ComparedTotalModel : public KeyedTable<TotalRow, std::string> {
  public:
    using KeyedTable::KeyedTable;
    void show_totals(const RegionComparison& comparison, ComparedBy by);

  protected:
    std::span<const Column<TotalRow>> columns() const override;
    std::string key(const TotalRow& row) const override { return row.total.name; }
    int compare_rows(const TotalRow& a, const TotalRow& b) const override;
};

QString growth_text(std::int64_t bytes);

}  // namespace snakepit::shm::ui
