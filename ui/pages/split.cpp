// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/split.h"

#include <QSplitter>

#include "ui/models/settings.h"

namespace snakepit::shm::ui {

QSplitter* make_split(Qt::Orientation orientation, const QList<QWidget*>& parts,
                      const QList<int>& sizes) {
    auto* splitter = new QSplitter(orientation);
    for (auto* part : parts) splitter->addWidget(part);
    splitter->setSizes(sizes);
    splitter->setHandleWidth(12);
    splitter->setChildrenCollapsible(false);
    return splitter;
}

QSplitter* make_split(QWidget* table, QWidget* details, const QList<int>& sizes,
                      const QString& settings_key) {
    auto* splitter = make_split(Qt::Horizontal, {table, details}, sizes);
    splitter->setStretchFactor(0, 1);
    splitter->restoreState(remembered_state(settings_key));
    QObject::connect(splitter, &QSplitter::splitterMoved, splitter, [splitter, settings_key] {
        remember_state(settings_key, splitter->saveState());
    });
    return splitter;
}

}  // namespace snakepit::shm::ui
