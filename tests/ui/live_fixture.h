// SPDX-License-Identifier: GPL-3.0-or-later
// The window on a real service.
#pragma once

#include <QCoreApplication>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QTest>

#include "service_fixture.h"
#include "ui/main_window.h"
#include "ui/models/live_host.h"
#include "ui/models/live_sources.h"
#include "ui/models/region_columns.h"
#include "ui/models/workspace.h"
#include "ui/pages/details_pane.h"
#include "ui/pages/region_table.h"
#include "ui/pages/regions_page.h"

namespace snakepit::shm::ui {

inline constexpr int kPatience = 60'000;  // ms; for what takes a heartbeat, or a program's end

inline InstancePaths paths_of(const test::Service& service) {
    service.host().use_in_this_process(service.instance());
    return *resolve_paths({});
}

inline QString pid_text(const test::Peer& peer) {
    return QStringLiteral("python3 %1").arg(peer.pid());
}

struct LiveFixture {
    explicit LiveFixture(const test::Service& service)
        : paths(paths_of(service)),
          host(paths, (QCoreApplication::applicationDirPath() + "/snakepit-shm").toStdString()),
          workspace(service.instance(), live_parts(paths)),
          window(workspace, host) {
        window.resize(1320, 840);
        window.show();
        window.show_page(QStringLiteral("regions"));
        workspace.start();
    }

    RegionsPage& page() { return *window.findChild<RegionsPage*>(); }
    QFrame& banner() { return *window.findChild<QFrame*>(QStringLiteral("banner")); }
    QLineEdit& filter() { return *page().findChild<QLineEdit*>(); }
    QString cell(int row, int column) {
        return page().table().regions().index(row, column).data().toString();
    }
    bool held_by_only(const test::Peer& peer) {
        const auto text = cell(0, kColumnHeldBy);
        return text.startsWith(pid_text(peer)) && !text.contains(u',');
    }
    void click_row(int row) {
        QCoreApplication::processEvents();  // as between any two of a person's
        auto& table = page().table();
        const auto at = table.visualRect(table.model()->index(row, kColumnState)).center();
        QTest::mouseClick(table.viewport(), Qt::LeftButton, Qt::NoModifier, at);
    }
    // All that the details pane says.
    QString details() {
        QString text;
        for (const auto* label : page().findChild<DetailsPane*>()->findChildren<QLabel*>())
            text += label->text() + u'\n';
        return text;
    }
    void press(const QString& text) {
        for (auto* button : window.findChildren<QPushButton*>())
            if (button->isVisible() && button->text().startsWith(text))
                return QTest::mouseClick(button, Qt::LeftButton);
        qFatal("no button %s", qPrintable(text));
    }

    InstancePaths paths;
    LiveHost host;
    Workspace workspace;
    MainWindow window;
};

}  // namespace snakepit::shm::ui
