// SPDX-License-Identifier: GPL-3.0-or-later
// A window on a bundle, and how a person reads it.
#pragma once

#include <QFrame>
#include <QLabel>
#include <QPushButton>

#include "find_widget.h"
#include "ui/main_window.h"
#include "ui/models/bundle_sources.h"
#include "ui/pages/alerts_page.h"
#include "ui/pages/regions_page.h"
#include "ui/pages/table_view.h"

namespace snakepit::shm::ui {

struct BundleFixture {
    explicit BundleFixture(BundleReader& bundle)
        : host(label_of(bundle)),
          workspace(QStringLiteral("test"), bundle_parts(bundle)),
          window(workspace, host) {
        window.resize(1320, 840);
        window.show();
        window.show_page(QStringLiteral("regions"));
        workspace.start();
    }
    RegionsPage& page() { return *window.findChild<RegionsPage*>(); }
    QString words() {
        QString out = window.windowTitle() + u'\n';
        for (const auto* label : window.findChildren<QLabel*>())
            if (label->isVisible()) out += label->text() + u'\n';
        return out;
    }
    AlertsPage& alerts() {
        window.show_page(QStringLiteral("alerts"));
        return *window.findChild<AlertsPage*>();
    }
    QAbstractItemModel& table(const char* name) {
        return *named<TableView>(window, QLatin1String(name))->model();
    }
    int enabled(const QStringList& titles) const {
        int count = 0;
        for (const auto* button : window.findChildren<QPushButton*>())
            count += titles.contains(button->text()) && button->isEnabled() ? 1 : 0;
        return count;
    }

    BundleHost host;
    Workspace workspace;
    MainWindow window;
};

}  // namespace snakepit::shm::ui
