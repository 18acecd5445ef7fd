// SPDX-License-Identifier: GPL-3.0-or-later
// What a table shows, as text for other programs.
#pragma once

#include <QAbstractItemModel>
#include <QList>
#include <QString>

namespace snakepit::shm::ui {

// `rows` and `columns` of `model` in this order; the first line names the columns. RFC 4180.
QString to_csv(const QAbstractItemModel& model, const QList<int>& rows, const QList<int>& columns);
// An array of objects; numbers stay numbers.
QString to_json(const QAbstractItemModel& model, const QList<int>& rows, const QList<int>& columns);
// As displayed, separated by tabs: for pasting into text.
QString to_text(const QAbstractItemModel& model, const QList<int>& rows, const QList<int>& columns);

}  // namespace snakepit::shm::ui
