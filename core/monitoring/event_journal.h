// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "layout/event_kind.h"
#include "layout/registry_layout.h"
#include "telemetry/telemetry_options.h"

namespace snakepit::shm {

using JournalFields = std::vector<std::pair<std::string_view, std::string>>;

// How bad a kind is, as syslog counts: 3 error, 4 warning, 5 notice, 6 information.
int journal_priority(EventKind kind);
// The journal's id of messages of this kind: 32 hexadecimal digits that never change.
std::string journal_message_id(EventKind kind);
// The event as a message with fields: MESSAGE for people, SNAKEPIT_… for programs.
JournalFields journal_fields(const layout::EventEntry& event, const std::string& instance);

// Sends an instance's events to the system's journal, each once and in order. What the journal does
// not take now is sent again later, for as long as the ring has it. One thread.
class EventJournal {
  public:
    EventJournal(std::string instance, std::string socket, bool everything, std::uint64_t after)
        : instance_(std::move(instance)),
          socket_(std::move(socket)),
          everything_(everything),
          sent_(after) {}

    // `events`: those behind sent(), in order. The error is the first that was not taken.
    Status send(const std::vector<layout::EventEntry>& events);
    std::uint64_t sent() const { return sent_; }

  private:
    std::string instance_, socket_;
    bool everything_;
    std::uint64_t sent_;  // the ring's number of the last one that is done with
};

}  // namespace snakepit::shm
