// SPDX-License-Identifier: GPL-3.0-or-later
// The whole window over a synthetic world.
#pragma once

#include <QDir>
#include <QSignalSpy>
#include <QTest>

#include "synthetic.h"
#include "synthetic_monitoring.h"
#include "ui/main_window.h"
#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

inline constexpr std::int64_t kFixtureEvents = 3000;

struct Fixture {
    explicit Fixture(std::size_t regions, double changing = 0.05)
        : world(regions),
          manager(std::make_shared<SyntheticManager>(world)),
          audit(std::make_shared<SyntheticAudit>()),
          monitoring(std::make_shared<SyntheticMonitoring>(world)),
          survey(std::make_shared<SyntheticSurvey>()),
          workspace(QStringLiteral("default"), {std::make_unique<SyntheticRegions>(world, changing),
                                                [this] {
                                                    return std::make_unique<SyntheticEvents>(
                                                        world,
                                                        world.rows().empty() ? 0 : kFixtureEvents);
                                                },
                                                manager, audit, monitoring, survey}),
          window(workspace, host) {
        window.resize(1320, 840);
        window.show();
        QSignalSpy ticks(&workspace, &Workspace::ticked);
        workspace.start();
        while (ticks.count() < 3) ticks.wait(2000);
    }

    SyntheticWorld world;
    std::shared_ptr<SyntheticManager> manager;
    std::shared_ptr<SyntheticAudit> audit;
    std::shared_ptr<SyntheticMonitoring> monitoring;
    std::shared_ptr<SyntheticSurvey> survey;
    SyntheticHost host;
    Workspace workspace;
    MainWindow window;
};

// Where SNAKEPIT_UI_GALLERY names a directory, the pictures are kept.
inline void keep(QWidget& widget, const QString& name) {
    const auto directory = qEnvironmentVariable("SNAKEPIT_UI_GALLERY");
    if (directory.isEmpty()) return;
    QTest::qWait(30);  // for the layout
    QDir().mkpath(directory);
    QVERIFY(widget.grab().save(QDir(directory).filePath(name + QStringLiteral(".png"))));
}

}  // namespace snakepit::shm::ui
