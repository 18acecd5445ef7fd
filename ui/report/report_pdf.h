// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <vector>

#include "audit/report.h"

namespace snakepit::shm::ui {

// Rows that a PDF lists at most; the other formats have all.
inline constexpr int kReportRows = 5000;

// An audit report as pages: what the history proves, key figures and graphs, what happened by kind,
// result and user, and the rows. `rows`: the newest of it, the newest first, at most kReportRows.
// Any thread, for users' names are looked up; nothing is signed here.
QByteArray draw_report(const ReportContents& report, const std::vector<EventRow>& rows);

}  // namespace snakepit::shm::ui
