// SPDX-License-Identifier: GPL-3.0-or-later
// The host's segments in words.
#pragma once

#include <QString>

#include "survey/host_survey.h"
#include "ui/models/severity.h"

namespace snakepit::shm::ui {

QString kind_title(SegmentKind kind);
QString verdict_title(SegmentVerdict verdict);
Severity severity_of(SegmentVerdict verdict);
QString creator_text(const HostSegment& segment);  // "python3 4711", "4711, exited", "–"
QString users_text(const HostSegment& segment);    // "none", "postgres 812, 3 more"
QString owner_text(const HostSegment& segment);    // the user's name or number
QString mode_text(std::uint32_t mode);             // "0600"
QString place_text(const HostSegment& segment);    // where its namespace is, or "this host"

}  // namespace snakepit::shm::ui
