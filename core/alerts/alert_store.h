// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alerts/alert.h"
#include "alerts/alert_requests.h"
#include "base/result.h"

namespace snakepit::shm {

struct StoredAlert {
    Alert alert;
    bool told = false;  // somebody was told that it fires
};

// Somebody hears now that they fire, or that they are resolved.
struct TellingMark {
    std::vector<std::uint64_t> ids;
    bool resolved = false;
};

// Up to where events have been shown to the rules, and how the wall clock was set then
// (RegistryState::wall_shift): the times of silences are of that setting.
struct EventPosition {
    std::uint64_t epoch = 0, seq = 0;
    std::int64_t wall_shift = 0;
};

struct Firing {
    std::string rule, subject;
    Timestamp fired_at;
};

// What an earlier manager left.
struct AlertMemory {
    std::vector<AlertRule> rules;
    std::vector<StoredAlert> firing;
    std::vector<Alert> untold_ends;  // somebody was told that they fire, and nobody of their end
    std::vector<Firing> recent;      // what fired in the last hour, the oldest first
    std::vector<AlertSilence> silences;
    EventPosition position;
    std::uint64_t last_alert = 0, last_silence = 0;
    std::string note;  // rows that could not be read
};

// What is written together, or not at all.
struct AlertBatch {
    std::vector<Alert> alerts;  // who was told stays as it is
    std::vector<TellingMark> told;
    std::vector<AlertRule> rules;
    std::vector<std::string> removed_rules;
    std::vector<AlertSilence> silences;
    std::vector<std::uint64_t> ended_silences;
    std::optional<EventPosition> position;
    bool empty() const {
        return alerts.empty() && told.empty() && rules.empty() && removed_rules.empty() &&
               silences.empty() && ended_silences.empty() && !position;
    }
    void add(AlertBatch later);
};

// Alerts, rules and silences in the instance's state.db, on a connection of its own. What is
// written is on the disk when write() returns. One thread.
class AlertStore {
  public:
    explicit AlertStore(std::string path);
    AlertStore(AlertStore&&) noexcept;
    ~AlertStore();

    // All: database_unavailable; asking again is safe.
    Result<AlertMemory> load();
    Status write(const AlertBatch& batch);
    // One more than asked for if there is another page.
    Result<std::vector<Alert>> history(const HistoryQuery& query);
    // Resolved alerts are kept for 30 days, and 10,000 of them.
    Status forget_old(Timestamp at);

  private:
    struct Private;
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
