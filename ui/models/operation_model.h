// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "layout/histogram.h"
#include "ui/models/keyed_table.h"

namespace snakepit::shm::ui {

enum OperationColumn : int {
    kOperationName,
    kOperationCount,
    kOperationP50,
    kOperationP90,
    kOperationP99,
    kOperationP999,
    kOperationColumns,
};

QString operation_title(layout::Timed what);
QString operation_note(layout::Timed what);  // a sentence: what is timed, and where

struct OperationRow {
    layout::Timed what{};
    layout::Histogram histogram;
    bool known = true;  // false: nothing of it is recorded
    // Shown again and again, computed once.
    std::array<std::uint64_t, 4> percentiles{};
};

// One row for each operation that is timed, in layout::Timed's order.
class OperationModel : public KeyedTable<OperationRow, int> {
  public:
    explicit OperationModel(QObject* parent = nullptr);
    // `known`: false at a moment of which nothing is recorded.
    void show(const std::array<layout::Histogram, layout::kTimed>& timings, bool known = true);

  protected:
    std::span<const Column<OperationRow>> columns() const override;
    int key(const OperationRow& row) const override { return static_cast<int>(row.what); }
};

}  // namespace snakepit::shm::ui
