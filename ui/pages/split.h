// SPDX-License-Identifier: GPL-3.0-or-later
// Parts of a page with a handle between them.
#pragma once

#include <QList>
#include <Qt>

class QSplitter;
class QString;
class QWidget;

namespace snakepit::shm::ui {

// Sizes in pixels, until the handle is moved.
QSplitter* make_split(Qt::Orientation orientation, const QList<QWidget*>& parts,
                      const QList<int>& sizes);
// A table, which gets what room is left, and what is said of its selected row. Where the handle was
// moved to is remembered under `settings_key`.
QSplitter* make_split(QWidget* table, QWidget* details, const QList<int>& sizes,
                      const QString& settings_key);

}  // namespace snakepit::shm::ui
