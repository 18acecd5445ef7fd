// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QtCore/qnamespace.h>

#include "ui/literals.h"

namespace snakepit::shm::ui {

// How something is meant; the theme turns it into colours.
enum class Severity { none, neutral, good, info, caution, bad };

// Roles beyond Qt's own that our models answer and our delegate draws.
enum ModelRole : int {
    kSortRole = Qt::UserRole + 1,  // raw value that sorts as the column does
    kExportRole,                   // raw value for CSV and JSON
    kKeyRole,                      // stable name of a column (in header data)
    kSeverityRole,                 // int(Severity): draw the text as a chip
    kMonospaceRole,                // bool
    kNewRole,                      // bool: the row came a moment ago
    kGoneRole,                     // bool: what it stands for is gone, its values are the last ones
    kMutedRole,                    // bool: less important
    kIdRole,                       // the region's id as text
    kMarksRole,                    // QStringList: chips behind the one with a severity
};

}  // namespace snakepit::shm::ui
