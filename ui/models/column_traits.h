// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QVariant>
#include <span>

#include "ui/models/tone.h"

namespace snakepit::shm::ui {

// What a table says of a column, whatever stands in its rows.
struct ColumnTraits {
    const char* key;                // in exports and settings
    const char* title;              // for people
    bool number;                    // to the right
    const char* tooltip = nullptr;  // of the title
    int width = 0;                  // pixels, before anyone changes it; 0: the view's own

    int alignment() const {
        return static_cast<int>(Qt::AlignVCenter | (number ? Qt::AlignRight : Qt::AlignLeft));
    }
    QVariant header(int role) const {
        switch (role) {
            case Qt::DisplayRole:
                return QString::fromUtf8(title);
            case Qt::ToolTipRole:
                return tooltip ? QString::fromUtf8(tooltip) : QVariant();
            case kKeyRole:
                return QString::fromUtf8(key);
            case Qt::TextAlignmentRole:
                return alignment();
            default:
                return {};
        }
    }
};

// A table model, `Base`, whose columns are told once: how many there are, their headers and their
// alignment follow from it. What is left to say is what stands in a cell.
template <typename Base>
class ColumnModel : public Base {
  public:
    using Base::Base;

    int columnCount(const QModelIndex& parent = {}) const override {
        return parent.isValid() ? 0 : static_cast<int>(columns().size());
    }
    QVariant headerData(int section, Qt::Orientation orientation, int role) const override {
        if (orientation != Qt::Horizontal || section < 0 || section >= columnCount()) return {};
        return columns()[static_cast<std::size_t>(section)].header(role);
    }
    QVariant data(const QModelIndex& index, int role) const override {
        if (!index.isValid() || index.row() >= this->rowCount()) return {};
        if (role == Qt::TextAlignmentRole)
            return columns()[static_cast<std::size_t>(index.column())].alignment();
        return cell(index.row(), index.column(), role);
    }

  protected:
    virtual std::span<const ColumnTraits> columns() const = 0;
    // Of a row and a column that there are.
    virtual QVariant cell(int row, int column, int role) const = 0;
};

}  // namespace snakepit::shm::ui
