// SPDX-License-Identifier: MIT
// Reads events.db from any process, with or without a manager. Never writes it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "layout/event_kind.h"

namespace snakepit::shm {

struct EventRow {
    std::int64_t seq = 0;        // shown to people: grows by one with each row in the database
    std::uint64_t epoch = 0;     // the registry file it came from
    std::uint64_t ring_seq = 0;  // its place in that file's ring
    Timestamp time;
    EventKind kind{};
    std::string region_id;  // empty: about no region
    std::int64_t pid = 0;
    std::uint32_t uid = 0;
    std::string result;  // "ok" or an error code's name
    std::string detail;  // a JSON object: {} or the fields its kind has
};

struct EventQuery {
    std::optional<std::string> region_id;
    std::optional<EventKind> kind;
    std::vector<EventKind> kinds;  // any of them; empty: all
    std::optional<std::uint32_t> uid;
    std::optional<Timestamp> since, until;  // since <= time < until
    // In lower case; each is part of the region id, kind, process id, result or detail.
    std::vector<std::string> words;
    std::int64_t after_seq = 0;   // rows with a greater seq only; keyset paging forwards
    std::int64_t before_seq = 0;  // rows with a smaller seq only (0: no bound); paging backwards
    bool newest_first = false;
    int limit = 1000;
};

// One thread at a time, except interrupt().
class EventReader {
  public:
    // database_unavailable if the file is missing or is not an event database.
    static Result<EventReader> open(const std::string& path);
    EventReader(EventReader&&) noexcept;
    EventReader& operator=(EventReader&&) noexcept;
    ~EventReader();

    Result<std::vector<EventRow>> query(const EventQuery& query);
    // Any thread: makes a running query() return `timeout` soon.
    void interrupt();

  private:
    struct Private;
    explicit EventReader(std::unique_ptr<Private> d);
    std::unique_ptr<Private> d_;
};

}  // namespace snakepit::shm
