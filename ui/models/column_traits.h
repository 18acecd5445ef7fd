// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QVariant>

#include "ui/models/tone.h"

namespace snakepit::shm::ui {

// What a table says of a column, whatever stands in its rows.
struct ColumnTraits {
    const char* key;    // in exports and settings
    const char* title;  // for people
    bool number;        // to the right

    int alignment() const {
        return static_cast<int>(Qt::AlignVCenter | (number ? Qt::AlignRight : Qt::AlignLeft));
    }
    QVariant header(int role) const {
        switch (role) {
            case Qt::DisplayRole:
                return QString::fromUtf8(title);
            case kKeyRole:
                return QString::fromUtf8(key);
            case Qt::TextAlignmentRole:
                return alignment();
            default:
                return {};
        }
    }
};

}  // namespace snakepit::shm::ui
