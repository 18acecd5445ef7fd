// SPDX-License-Identifier: MIT
// Alerts, alert rules and silences as rows of state.db. The functions that take a database throw
// SQLite::Exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alerts/alert.h"
#include "alerts/alert_api.h"
#include "events/retention_clock.h"

namespace snakepit::shm {

struct StoredAlert {
    Alert alert;
    bool notified = false;  // that it fires
};

// The receivers are notified now that these fire, or that they are resolved.
struct NotificationMark {
    std::vector<std::uint64_t> ids;
    bool resolved = false;
};

// The last event that the rules observed, and the setting of the wall clock then
// (RegistryState::wall_shift) that the times of silences refer to.
struct EventPosition {
    std::uint64_t epoch = 0, seq = 0;
    std::int64_t wall_shift = 0;
};

struct Firing {
    std::string rule, subject;
    Timestamp fired_at;
};

// What an earlier manager stored.
struct AlertSnapshot {
    std::vector<AlertRule> rules;
    std::vector<StoredAlert> firing;
    std::vector<Alert> pending_resolved;  // notified that they fire, but not that they are resolved
    std::vector<Firing> recent;           // of the last hour, the oldest first
    std::vector<AlertSilence> silences;
    EventPosition position;
    std::uint64_t last_alert = 0, last_silence = 0;
    std::string note;  // rows that could not be read
};

// Written in one transaction.
struct AlertBatch {
    std::vector<Alert> alerts;  // their notifications stay as they are
    std::vector<NotificationMark> notified;
    std::vector<AlertRule> rules;
    std::vector<std::string> removed_rules;
    std::vector<AlertSilence> silences;
    std::vector<std::uint64_t> ended_silences;
    std::optional<EventPosition> position;
    bool empty() const {
        return alerts.empty() && notified.empty() && rules.empty() && removed_rules.empty() &&
               silences.empty() && ended_silences.empty() && !position;
    }
    void add(AlertBatch later);
};

void write_rows(SQLite::Database& database, const AlertBatch& batch);
// Rows that cannot be read are left out and named in `note`.
AlertSnapshot read_snapshot(SQLite::Database& database);
// One more than asked for if there is another page.
std::vector<Alert> read_history(SQLite::Database& database, const HistoryQuery& query);
// Resolved alerts are kept for 30 days, and 10,000 of them.
void remove_old(SQLite::Database& database, RetentionClock& clock, Timestamp at);

}  // namespace snakepit::shm
