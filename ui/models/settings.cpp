// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/settings.h"

#include <QHeaderView>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QSettings>

#include "ui/models/severity.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kVersion = 1;
bool remembering_now = true;

QSettings& settings() {
    static QSettings store(u"snakepit-shm"_s, u"monitor"_s);
    static const bool checked = [] {
        if (store.value(u"version"_s).toInt() != kVersion) store.clear();
        store.setValue(u"version"_s, kVersion);
        return true;
    }();
    static_cast<void>(checked);
    return store;
}

QString layout_key(const QString& key) {
    return u"layout/"_s + key;
}

QString name_of(const QHeaderView& header, int column) {
    return header.model()->headerData(column, Qt::Horizontal, kKeyRole).toString();
}

int column_of(const QHeaderView& header, const QString& name) {
    for (int column = 0; column < header.count(); ++column)
        if (name_of(header, column) == name) return column;
    return -1;
}

}  // namespace

void set_remembering(bool remembering) {
    remembering_now = remembering;
}

bool remembering() {
    return remembering_now;
}

void forget_layout() {
    if (remembering_now) settings().remove(u"layout"_s);
}

QString remembered(const QString& key, const QString& otherwise) {
    return remembering_now ? settings().value(key, otherwise).toString() : otherwise;
}

void remember(const QString& key, const QString& value) {
    if (remembering_now) settings().setValue(key, value);
}

QByteArray remembered_state(const QString& key) {
    return remembering_now ? settings().value(layout_key(key)).toByteArray() : QByteArray();
}

void remember_state(const QString& key, const QByteArray& state) {
    if (remembering_now) settings().setValue(layout_key(key), state);
}

void save_header(const QString& key, const QHeaderView& header) {
    int last = header.count() - 1;  // of those shown: it is as wide as the room that is left
    while (last >= 0 && header.isSectionHidden(header.logicalIndex(last))) --last;
    QJsonArray columns;
    for (int visual = 0; visual < header.count(); ++visual) {
        const int column = header.logicalIndex(visual);
        QJsonObject object{{u"name"_s, name_of(header, column)},
                           {u"hidden"_s, header.isSectionHidden(column)}};
        if (visual != last || !header.stretchLastSection())
            object[u"width"_s] = header.sectionSize(column);
        columns.append(object);
    }
    const QJsonObject all{{u"columns"_s, columns},
                          {u"sort"_s, name_of(header, header.sortIndicatorSection())},
                          {u"descending"_s, header.sortIndicatorOrder() == Qt::DescendingOrder}};
    remember_state(key, QJsonDocument(all).toJson(QJsonDocument::Compact));
}

void restore_header(const QString& key, QHeaderView& header) {
    const auto all = QJsonDocument::fromJson(remembered_state(key)).object();
    int visual = 0;
    for (const auto value : all.value(u"columns"_s).toArray()) {
        const auto object = value.toObject();
        const int column = column_of(header, object.value(u"name"_s).toString());
        if (column < 0) continue;
        header.moveSection(header.visualIndex(column), visual++);
        const bool hidden = object.value(u"hidden"_s).toBool();
        header.setSectionHidden(column, hidden);
        if (const auto width = object.value(u"width"_s); !hidden && width.isDouble())
            header.resizeSection(column, std::max(24, width.toInt()));
    }
    const int sort = column_of(header, all.value(u"sort"_s).toString());
    if (sort < 0) return;
    header.setSortIndicator(
        sort, all.value(u"descending"_s).toBool() ? Qt::DescendingOrder : Qt::AscendingOrder);
}

}  // namespace snakepit::shm::ui
