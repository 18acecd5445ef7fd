// SPDX-License-Identifier: MIT
// [shared_memory.telemetry]: metrics and events for programs that monitor many hosts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace snakepit::shm {

// Which events go to the system's journal. automatic: the important ones where the service's own
// messages go there (JOURNAL_STREAM is set, as systemd does), else none.
enum class JournalChoice : std::uint8_t { automatic, off, important, everything };

// Programs, users and control groups of the whole host, by name.
inline constexpr std::string_view kHostLabel = "host";

struct TelemetryOptions {
    std::string listen;  // "127.0.0.1:9847", as it was written; empty: nowhere
    std::string host;    // of it, a numeric address
    std::uint16_t port = 0;
    bool allow_remote = false;          // `listen` may be an address that others can reach
    std::string textfile;               // for node_exporter's textfile collector; empty: none
    std::int64_t interval_ms = 15'000;  // between two writings of it
    // Of "user", "session", "worker" and "host".
    std::vector<std::string> labels{"user"};
    JournalChoice journal = JournalChoice::automatic;
    std::string journal_socket = "/run/systemd/journal/socket";
    friend bool operator==(const TelemetryOptions&, const TelemetryOptions&) = default;
};

}  // namespace snakepit::shm
