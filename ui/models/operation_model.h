// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "layout/histogram.h"
#include "ui/models/column_traits.h"

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

// One row for each operation that is timed, in layout::Timed's order.
class OperationModel : public ColumnModel<QAbstractTableModel> {
  public:
    using ColumnModel::ColumnModel;

    void show(const std::array<layout::Histogram, layout::kTimed>& timings);
    const layout::Histogram& histogram(int row) const {
        return timings_[static_cast<std::size_t>(row)];
    }

    int rowCount(const QModelIndex& parent = {}) const override;

  protected:
    std::span<const ColumnTraits> columns() const override;
    QVariant cell(int row, int column, int role) const override;

  private:
    QVariant value(int row, int column) const;
    QString display(int row, int column) const;

    std::array<layout::Histogram, layout::kTimed> timings_{};
    // What a table asks for again and again, counted once.
    std::array<std::array<std::uint64_t, 4>, layout::kTimed> percentiles_{};
};

}  // namespace snakepit::shm::ui
