// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/export.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QStringList>

#include "base/csv.h"
#include "ui/models/severity.h"

namespace snakepit::shm::ui {

namespace {

// Numbers stay numbers; text is in quotes.
QString csv_cell(const QVariant& value) {
    if (value.isNull()) return {};
    if (value.typeId() != QMetaType::QString) return value.toString();
    std::string out;
    append_csv_text(out, value.toString().toStdString());
    return QString::fromStdString(out);
}

QString key_of(const QAbstractItemModel& model, int column) {
    return model.headerData(column, Qt::Horizontal, kKeyRole).toString();
}

}  // namespace

QString to_csv(const QAbstractItemModel& model, const QList<int>& rows, const QList<int>& columns) {
    QStringList lines, cells;
    for (const int column : columns) cells << key_of(model, column);
    lines << cells.join(u',');
    for (const int row : rows) {
        cells.clear();
        for (const int column : columns)
            cells << csv_cell(model.index(row, column).data(kExportRole));
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
