// SPDX-License-Identifier: GPL-3.0-or-later
// Numbers and times as people read them.
#pragma once

#include <QString>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/time.h"
#include "ui/literals.h"
#include "ui/models/visible_text.h"

namespace snakepit::shm::ui {

QString size_text(std::uint64_t bytes);             // "256 MiB"
QString duration_text(std::int64_t millis);         // "12 min"
QString nanos_text(double nanos);                   // "830 ns", "12.3 µs", "4.56 ms", "1.2 s"
QString since_text(Timestamp then, Timestamp now);  // "12 min", "now", "–" for never
QString clock_text(Timestamp time);        // local "14:03:21.250", with the date if not today
QString short_clock_text(Timestamp time);  // local "14:03:21", or "2026-11-28 14:03"
QString zoned_text(Timestamp time);        // local "2026-11-28 14:03:21 CET"
QString count_text(std::uint64_t count);   // "12,345"
QString pluralize(std::uint64_t count, const char* one, const char* many);  // "3 regions"
QString error_text(const Error& error);  // sentence with the remedy
QString capitalised(QString text);       // its first letter
QString to_qstring(std::string_view text);
QString spoken_name(std::string_view name);  // "owner_gone" as "owner gone"; "read-only"
// Its name; one without a name and number is of a pid namespace that the manager does not see into.
QString program_text(std::string_view name, std::int64_t pid);

}  // namespace snakepit::shm::ui
