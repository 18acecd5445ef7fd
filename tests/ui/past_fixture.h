// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QSlider>
#include <QToolButton>
#include <algorithm>

#include "fixture.h"
#include "recorded_world.h"
#include "ui/graphs/memory_graph.h"
#include "ui/graphs/time_plot.h"
#include "ui/models/region_columns.h"
#include "ui/models/time_travel.h"
#include "ui/pages/memory_page.h"
#include "ui/pages/region_table.h"
#include "ui/pages/regions_page.h"
#include "ui/time_line.h"

namespace snakepit::shm::ui {

// The window over live regions and an hour that was recorded before.
struct PastFixture {
    explicit PastFixture(std::size_t regions = 20, BundleRegionsReader bundles = {})
        : start{now().micros - 90 * kMinuteMicros},
          world(regions),
          metrics(std::make_shared<RecordedMetricsOfAnHour>(start)),
          workspace(QStringLiteral("default"), parts(std::move(bundles))),
          window(workspace, host) {
        window.resize(1024, 700);
        window.show();
        workspace.start();
    }
    Workspace::Parts parts(BundleRegionsReader bundles) {
        Workspace::Parts out;
        out.regions = std::make_unique<SyntheticRegions>(world, 0);
        out.events = [rows = recorded_rows(start)] {
            return std::make_unique<RecordedEvents>(rows);
        };
        out.manager = std::make_shared<SyntheticManager>(world);
        out.audit = std::make_shared<SyntheticAudit>();
        out.monitoring = std::make_shared<SyntheticMonitoring>(world);
        out.host = std::make_shared<SyntheticSurvey>();
        out.history = metrics;
        out.bundle_reader = std::move(bundles);
        return out;
    }
    // Half a minute after it began.
    Timestamp minute(std::int64_t number) const {
        return {start.micros + number * kMinuteMicros + kMinuteMicros / 2};
    }
    template <typename Widget>
    Widget& of_line(const QString& name) {
        for (auto* widget : window.findChild<TimeLine*>()->findChildren<Widget*>())
            if (widget->accessibleName() == name) return *widget;
        qFatal("no %s", qPrintable(name));
    }
    QSlider& slider() { return of_line<QSlider>(QStringLiteral("Moment that is shown")); }
    QToolButton& tool(const char* name) { return of_line<QToolButton>(QString::fromUtf8(name)); }
    TimeTravel& travel() { return *window.findChild<TimeTravel*>(); }
    MemoryGraph& graph() { return *window.findChild<MemoryPage*>()->findChild<MemoryGraph*>(); }
    TimePlot& plot() { return graph().plot(); }
    RegionTableModel& regions() { return window.findChild<RegionsPage*>()->table().regions(); }
    QString banner() {
        QString out;
        for (auto* label :
             window.findChild<QFrame*>(QStringLiteral("banner"))->findChildren<QLabel*>())
            out += label->text() + u' ';
        return out;
    }
    bool shows(Timestamp moment) const {
        return workspace.past() && workspace.past()->state.moment == moment;
    }
    // Regions of now that existed then: their allocation came before what is recorded.
    int old_enough(Timestamp moment) const {
        const auto rows = world.rows();
        return static_cast<int>(std::count_if(rows.begin(), rows.end(), [moment](const auto& row) {
            return row.info.created_at <= moment;
        }));
    }
    QSet<QString> ids() {
        QSet<QString> out;
        for (int row = 0; row < regions().rowCount(); ++row)
            out << regions().index(row, 0).data(kIdRole).toString();
        return out;
    }

    Timestamp start;
    SyntheticWorld world;
    SyntheticHost host;
    std::shared_ptr<RecordedMetricsOfAnHour> metrics;
    Workspace workspace;
    MainWindow window;
};

}  // namespace snakepit::shm::ui
