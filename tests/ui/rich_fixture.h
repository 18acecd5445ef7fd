// SPDX-License-Identifier: GPL-3.0-or-later
// A window with something to see on every page, and how a person reads it.
#pragma once

#include <QLabel>

#include "find_widget.h"
#include "fixture.h"
#include "ui/models/current_alerts.h"
#include "ui/pages/alerts_page.h"
#include "ui/pages/host_page.h"
#include "ui/pages/table_view.h"

namespace snakepit::shm::ui {

inline bool says(QWidget& widget, const QString& words) {
    for (const auto* label : widget.findChildren<QLabel*>())
        if (label->isVisible() && label->text().contains(words)) return true;
    return false;
}

inline QString command_of(QWidget& widget) {
    const auto* label = widget.findChild<QLabel*>(QStringLiteral("command"));
    return label ? label->text() : QString();
}

inline QPushButton* button(QWidget& widget, const QString& text) {
    for (auto* one : widget.findChildren<QPushButton*>())
        if (one->isVisible() && one->text() == text) return one;
    return nullptr;
}

inline PerformanceReport advice() {
    PerformanceReport report;
    report.advice = {
        {"Set arena_size to 16MiB: arenas are much larger than what lives in them.",
         "4,310 regions take 58 MiB; 270 MiB of arenas are kept ready for them.", 212ULL << 20},
        {"Look at what session epoch-7 keeps: it never unmaps.",
         "tensor_loader (4247), worker embedder took 1,212 references in the last hour and gave "
         "none back; it holds 4,212.",
         0},
        {"Raise max_total_memory, or look for what grows: the limit is reached in about 9 hours at "
         "this rate.",
         "Memory of regions grew by 84 MiB an hour in the last hour; 760 MiB are left.", 0}};
    report.users = {{"www-data", 812, 640ULL << 20, 2140, 18'204},
                    {"kim", 64, 96ULL << 20, 71, 640},
                    {"root", 3, 12288, 0, 9}};
    report.sessions = {{"epoch-7", 410, 340ULL << 20, 1212, 9'100}, {"", 12, 4ULL << 20, 3, 44}};
    report.workers = {{"embedder", 300, 280ULL << 20, 900, 7'001},
                      {"resize", 41, 20ULL << 20, 44, 800}};
    return report;
}

// A fixture with something to see on every page.
struct RichFixture : Fixture {
    explicit RichFixture(std::size_t segments = 180, std::vector<Alert> alerts = make_alerts(now()))
        : Fixture(200) {
        window.resize(1440, 900);
        survey->set_survey(make_survey(segments));
        monitoring->report = advice();
        monitoring->set_alerts(std::move(alerts));
        AlertSilence known;
        known.rule = "orphans";
        known.until = {now().micros + 3'000'000'000LL};
        known.comment = "until tonight's release";
        Q_UNUSED(monitoring->silence(known));
        QSignalSpy changed(&current(), &CurrentAlerts::changed);
        changed.wait(60'000);
    }
    CurrentAlerts& current() { return *window.findChild<CurrentAlerts*>(); }
    AlertsPage& alerts() {
        window.show_page(QStringLiteral("alerts"));
        return *window.findChild<AlertsPage*>();
    }
    TableView& alert_table() { return *named<TableView>(alerts(), QStringLiteral("Alerts")); }
    HostPage& host() {
        auto* page = window.findChild<HostPage*>();
        QSignalSpy surveyed(page, &HostPage::surveyed);
        window.show_page(QStringLiteral("host"));
        surveyed.wait(60'000);
        return *page;
    }
};

}  // namespace snakepit::shm::ui
