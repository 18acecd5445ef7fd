// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/export.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QStringList>

#include "ui/models/severity.h"

namespace snakepit::shm::ui {

namespace {

QString quoted(QString text) {
    if (!text.contains(u',') && !text.contains(u'"') && !text.contains(u'\n') &&
        !text.contains(u'\r'))
        return text;
    return u'"' + text.replace(u'"', u"\"\""_s) + u'"';
}

QString key_of(const QAbstractItemModel& model, int column) {
    return model.headerData(column, Qt::Horizontal, kKeyRole).toString();
}

}  // namespace

QString to_csv(const QAbstractItemModel& model, const QList<int>& rows, const QList<int>& columns) {
    QStringList lines, cells;
    for (const int column : columns) cells << quoted(key_of(model, column));
    lines << cells.join(u',');
    for (const int row : rows) {
        cells.clear();
        for (const int column : columns)
            cells << quoted(model.index(row, column).data(kExportRole).toString());
        lines << cells.join(u',');
    }
    return lines.join(u"\r\n"_s) + u"\r\n"_s;
}

QString to_json(const QAbstractItemModel& model, const QList<int>& rows,
                const QList<int>& columns) {
    QJsonArray array;
    for (const int row : rows) {
        QJsonObject object;
        for (const int column : columns)
            object[key_of(model, column)] =
                QJsonValue::fromVariant(model.index(row, column).data(kExportRole));
        array.append(object);
    }
    return QString::fromUtf8(QJsonDocument(array).toJson());
}

QString to_text(const QAbstractItemModel& model, const QList<int>& rows,
                const QList<int>& columns) {
    QStringList lines;
    for (const int row : rows) {
        QStringList cells;
        for (const int column : columns) cells << model.index(row, column).data().toString();
        lines << cells.join(u'\t');
    }
    return lines.join(u'\n');
}

}  // namespace snakepit::shm::ui
