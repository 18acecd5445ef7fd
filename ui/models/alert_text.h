// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts, rules and silences in words and as command lines.
#pragma once

#include <QString>
#include <QStringList>
#include <optional>

#include "alerts/alert.h"
#include "ui/models/severity.h"

namespace snakepit::shm::ui {

QString severity_title(AlertSeverity severity);
Severity severity_of(AlertSeverity severity);
QString alert_state_title(Alert::State state);
QString group_title(AlertGroup group);
QString alert_title(const Alert& alert);
QString rule_title(const AlertRule& rule);
QString subject_text(const std::string& subject);  // "this instance" where there is none
Severity severity_of(const Alert& alert);          // of its state; resolved ones are calm
QStringList alert_marks(const Alert& alert);       // acknowledged, silenced, flapping
bool needs_someone(const Alert& alert);            // it fires, and nobody has taken it on
// Firing first, the worst of them first, then pending, then resolved ones, the latest first.
bool worse(const Alert& a, const Alert& b);

// What happened that belongs to it, as far as it is recorded as events.
std::optional<EventKind> related_events(const AlertRule& rule);
bool is_about_region(const Alert& alert);  // its subject is a region's id

// In the unit of a rule, see unit_of(): "90 %", "1.5 GiB", "250 ms", "3": read back by
// parse_threshold without a loss that matters.
QString threshold_text(double threshold, std::string_view unit);
Result<double> parse_threshold(const QString& text, std::string_view unit);

// "5m", "90s", "250ms": exact, and read back by parse_duration.
QString period_text(std::int64_t millis);

// What comes behind "snakepit-shm ".
QString acknowledge_words(const std::vector<std::uint64_t>& ids, const QString& comment);
QString silence_words(const AlertSilence& silence, std::int64_t for_ms);
QString unsilence_words(std::uint64_t id);
QString set_rule_words(const AlertRule& rule);
QString switch_rule_words(const AlertRule& rule);  // to what it says about being watched

}  // namespace snakepit::shm::ui
