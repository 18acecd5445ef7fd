// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <vector>

#include "events/event_reader.h"
#include "ui/models/severity.h"

namespace snakepit::shm::ui {

QString event_title(EventKind kind);  // "Client exited"
const std::vector<EventKind>& all_event_kinds();
// Who was refused, who got at what is audited, and what changed about that.
const std::vector<EventKind>& security_kinds();
Severity severity_of(const EventRow& row);  // refusals and losses stand out
QString event_detail(const EventRow& row);  // "64 MiB · python3"
QString event_result(const EventRow& row);  // "ok", or the error's name in words

}  // namespace snakepit::shm::ui
