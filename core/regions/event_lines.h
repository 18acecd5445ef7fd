// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm {

// Something that a client waits for was decided.
struct EventNote {
    bool lock = false;         // a lock request: `ticket` is the client's number of it
    std::uint64_t ticket = 0;  // else a wait for a signal
    std::uint64_t now = 0;     // the counter
    ErrorCode code{};          // zero, or why the wait ended
};

// The clients that wait for events with a descriptor, and what they have not taken yet. In memory
// only: after a restart they ask again for everything. Service thread only.
class EventLines {
  public:
    // A new line; replaces the client's last one. The end that the client waits on.
    Result<Handle> open(std::uint64_t serial);
    // Nothing for a client without a line.
    void add(std::uint64_t serial, const EventNote& note);
    struct Taken {
        std::vector<EventNote> notes;
        bool more = false;
        bool lost = false;  // there were too many: the client asks for everything again
    };
    Taken take(std::uint64_t serial);
    void drop(std::uint64_t serial) { lines_.erase(serial); }

  private:
    struct Line {
        Handle ring;
        bool rung = false;  // since the client last took its notes
        bool lost = false;
        std::vector<EventNote> notes;
    };
    std::unordered_map<std::uint64_t, Line> lines_;  // by the client's serial
};

}  // namespace snakepit::shm
