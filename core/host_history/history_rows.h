// SPDX-License-Identifier: MIT
// Rows of host_history.db, for its writer and its readers. Throws SQLite::Exception.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>
#include <vector>

#include "host_history/history_schema.h"
#include "host_history/host_totals.h"
#include "survey/segment_memory.h"

namespace snakepit::shm {

// from <= time < to, oldest first.
std::vector<HostTotals> read_rows(SQLite::Database& database, const HostResolution& resolution,
                                  std::int64_t from, std::int64_t to);

void read_segments(SQLite::Database& database, Timestamp seen, SegmentMemory& memory);

}  // namespace snakepit::shm
