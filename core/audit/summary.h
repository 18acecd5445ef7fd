// SPDX-License-Identifier: MIT
// The summary of an audit report.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "events/event_reader.h"

namespace snakepit::shm {

inline constexpr std::size_t kGraphPoints = 96;

// The period in kGraphPoints equal parts.
struct ReportGraphs {
    Timestamp from, to;
    // Events in each part, by kind: the most frequent kinds first, the others together last.
    std::vector<std::pair<std::string, std::vector<std::uint64_t>>> events;
    // At the end of each part, by the rows: regions allocated and not freed yet.
    std::vector<std::uint64_t> regions, bytes;
};

struct ReportSummary {
    std::int64_t rows = 0;
    std::int64_t first_seq = 0, last_seq = 0;
    Timestamp first, last;
    std::map<std::string, std::int64_t> kinds, results;
    std::map<std::uint32_t, std::int64_t> users;  // at most kUsersNamed; the rest is in `rows`
    ReportGraphs graphs;
};
inline constexpr std::size_t kUsersNamed = 1000;

// Calls back for every row the query selects, the oldest first, whatever its limit; a page at a
// time. Stops with the first error.
Status for_each_row(EventReader& reader, EventQuery query,
                    const std::function<Status(const EventRow&)>& row);

// `query` selects the rows; its `before_seq` keeps rows out that come while it is read.
Result<ReportSummary> summarize(EventReader& reader, const EventQuery& query);

}  // namespace snakepit::shm
