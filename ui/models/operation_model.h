// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <array>

#include "layout/histogram.h"

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
class OperationModel : public QAbstractTableModel {
  public:
    using QAbstractTableModel::QAbstractTableModel;

    void show(const std::array<layout::Histogram, layout::kTimed>& timings);
    const layout::Histogram& histogram(int row) const {
        return timings_[static_cast<std::size_t>(row)];
    }

    int rowCount(const QModelIndex& parent = {}) const override;
    int columnCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    QVariant value(int row, int column) const;
    QString display(int row, int column) const;

    std::array<layout::Histogram, layout::kTimed> timings_{};
    // What a table asks for again and again, counted once.
    std::array<std::array<std::uint64_t, 4>, layout::kTimed> percentiles_{};
};

}  // namespace snakepit::shm::ui
