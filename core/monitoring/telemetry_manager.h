// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "telemetry/exposition.h"
#include "telemetry/telemetry_options.h"

namespace snakepit::shm {

// What a manager publishes where, and its problems with that.
struct TelemetryState {
    bool enabled = false;  // telemetry_enabled
    std::string url;       // of the metrics; empty: not served
    std::string textfile;  // empty: none is written
    Timestamp textfile_written;
    JournalChoice journal = JournalChoice::off;  // never automatic
    std::vector<Error> problems;                 // each is tried again by itself
};

// What began to fail or works again.
struct TelemetryNews {
    bool works = false;
    Error error;       // !works
    std::string text;  // a few words for people
};

// Metrics for Prometheus over HTTP and as a text file for
// node_exporter, events for the system's journal. Works on threads of its own, which begin when
// something is configured, and reads the registry file: the service thread hands over what is not
// in there, and does nothing else for it.
class TelemetryManager {
  public:
    struct Identity {
        std::string registry;  // its file
        std::string version, instance, backend;
    };
    // `after`: the last event that the journal already has.
    TelemetryManager(Identity identity, std::uint64_t after);
    // Sends the last events, and removes the text file: what it says is true no more.
    ~TelemetryManager();

    // The others: service thread. They never wait.
    void configure(const TelemetryOptions& options, bool enabled);
    void hand_over(ManagerStats figures);
    std::vector<TelemetryNews> take_news();
    TelemetryState state() const;
    const ManagerStats& figures() const { return stats_; }
    const TelemetryOptions& options() const { return options_; }
    const Identity& identity() const { return identity_; }
    // Events are said in the journal, with all their fields.
    bool journal_works() const;

  private:
    class Private;

    Identity identity_;
    std::uint64_t after_;
    TelemetryOptions options_;
    ManagerStats stats_;
    std::unique_ptr<Private> d_;  // null: there was nothing to do yet
    bool enabled_ = false;
};

}  // namespace snakepit::shm
