// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/operation_model.h"

#include <QObject>

#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::array<ColumnTraits, kOperationColumns> kColumns{{
    {"operation", "Operation", false},
    {"count", "Count", true},
    {"p50", "p50", true},
    {"p90", "p90", true},
    {"p99", "p99", true},
    {"p999", "p99.9", true},
}};
constexpr std::array kShares{0.5, 0.9, 0.99, 0.999};

layout::Timed timed(int row) {
    return static_cast<layout::Timed>(row);
}

}  // namespace

QString operation_title(layout::Timed what) {
    switch (what) {
        case layout::Timed::allocate:
            return QObject::tr("Allocate");
        case layout::Timed::first_map:
            return QObject::tr("First map");
        case layout::Timed::map:
            return QObject::tr("Map");
        case layout::Timed::unmap:
            return QObject::tr("Unmap");
        case layout::Timed::cleanup:
            return QObject::tr("Cleanup");
        case layout::Timed::lock_wait:
            return QObject::tr("Lock wait");
        case layout::Timed::recorder_lag:
            break;
    }
    return QObject::tr("Recorder lag");
}

QString operation_note(layout::Timed what) {
    switch (what) {
        case layout::Timed::allocate:
            return QObject::tr("In the manager, from the request to the answer.");
        case layout::Timed::first_map:
            return QObject::tr("A map that asked the manager, in the manager.");
        case layout::Timed::map:
            return QObject::tr("In the client, without the manager; one of every few hundred.");
        case layout::Timed::unmap:
            return QObject::tr("In the client; of the same ones as maps.");
        case layout::Timed::cleanup:
            return QObject::tr("Giving back one region, in the manager.");
        case layout::Timed::lock_wait:
            return QObject::tr("From asking for a lock to getting it; waits only.");
        case layout::Timed::recorder_lag:
            break;
    }
    return QObject::tr("From an event to its row in the database.");
}

void OperationModel::show(const std::array<layout::Histogram, layout::kTimed>& timings) {
    timings_ = timings;
    for (std::size_t i = 0; i < layout::kTimed; ++i)
        for (std::size_t j = 0; j < kShares.size(); ++j)
            percentiles_[i][j] = timings_[i].percentile(kShares[j]);
    Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
}

int OperationModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(layout::kTimed);
}

std::span<const ColumnTraits> OperationModel::columns() const {
    return kColumns;
}

QVariant OperationModel::value(int row, int column) const {
    const auto& histogram = this->histogram(row);
    if (column == kOperationName)
        return to_qstring(layout::kTimedNames[static_cast<std::size_t>(row)]);
    if (column == kOperationCount) return QVariant::fromValue<qulonglong>(histogram.count);
    return QVariant::fromValue<qulonglong>(percentiles_[static_cast<std::size_t>(
        row)][static_cast<std::size_t>(column - kOperationP50)]);
}

QString OperationModel::display(int row, int column) const {
    if (column == kOperationName) return operation_title(timed(row));
    const auto number = value(row, column).toULongLong();
    if (column == kOperationCount) return count_text(number);
    return histogram(row).count == 0 ? QStringLiteral("–")
                                     : nanos_text(static_cast<double>(number));
}

QVariant OperationModel::cell(int row, int column, int role) const {
    switch (role) {
        case Qt::DisplayRole:
            return display(row, column);
        case kSortRole:
        case kExportRole:
            return value(row, column);
        case kMutedRole:
            return column != kOperationName && histogram(row).count == 0;
        case Qt::ToolTipRole:
            return operation_note(timed(row));
        default:
            return {};
    }
}

}  // namespace snakepit::shm::ui
