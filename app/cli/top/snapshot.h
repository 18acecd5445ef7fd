// SPDX-License-Identifier: MIT
// What the terminal monitor reads and polls, and the keys that are pressed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "alerts/alert.h"
#include "base/region.h"
#include "base/result.h"
#include "events/event_reader.h"
#include "layout/registry_reader.h"

namespace snakepit::shm::cli {

// The registry file at one moment.
struct Snapshot {
    Timestamp at;
    RegistryDelta delta;
    std::vector<ClientInfo> clients;
    std::vector<layout::Sample> samples;  // that are new
    std::int64_t manager_pid = 0;
    Timestamp started_at, heartbeat;
};

// What only the manager, or the event database, knows, and is open on the screen.
struct PollRequest {
    bool alerts = false;
    bool locks = false;
    std::string filter;              // of the locks
    std::optional<RegionId> region;  // its holders and its last events
    friend bool operator==(const PollRequest&, const PollRequest&) = default;
};

template <typename T>
struct Polled {
    Timestamp at;  // 0: none yet
    T value{};     // the last that was read
    std::optional<Error> error;
};

struct PollResults {
    Polled<std::vector<Alert>> alerts;
    Polled<std::vector<RegionLocks>> locks;
    std::optional<RegionId> region;  // whose the details are
    Polled<RegionInfo> info;
    Polled<std::vector<EventRow>> events;
    Polled<std::string> acknowledged;  // the alert's title
};

struct KeyPress {
    enum class Kind : std::uint8_t {
        none,
        character,
        up,
        down,
        page_up,
        page_down,
        home,
        end,
        enter,
        escape,
        tab,
        back_tab,
        backspace,
        redraw,  // the window changed, or something was polled
        leave,   // a signal asked us to end, or the terminal is gone
    };
    Kind kind = Kind::none;
    char32_t code = 0;  // of a character
};

}  // namespace snakepit::shm::cli
